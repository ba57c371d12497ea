import { UiccError } from '../contracts/index.js';
import type { AtResult } from './at-command.js';
import { AtError } from './at-error.js';

/** In place of a status word: the modem gave an error result instead of an answer of the card. */
export const REFUSED = -1;

const CME_BUSY = 14;
const CME_WAIT = 515;
/** CME errors of a command that this modem does not do; any other one after a good open() means a lost channel. */
const CME_NOT_DONE: readonly number[] = [3, 4, 50];

export function isBusy(cme: number): boolean {
  return cme === CME_BUSY || cme === CME_WAIT;
}

/** True when an error result to an APDU means that the channel is gone (at.md §6). */
export function meansLost(cme: number): boolean {
  return cme >= 0 && !isBusy(cme) && !CME_NOT_DONE.includes(cme);
}

/** Four hex digits. */
export function swText(sw: number): string {
  return sw.toString(16).toUpperCase().padStart(4, '0');
}

/** The error for a SELECT that ended in `sw`, or in `refusal` when that is REFUSED. */
export function selectError(sw: number, refusal: AtResult | undefined): UiccError {
  if (sw === REFUSED) return new UiccError('refused', `SELECT: the modem answers ${refusal?.text}`);
  if (sw === 0x6881 || sw === 0x6a81) {
    return new UiccError(
      'noChannel',
      `SELECT: status word ${swText(sw)}: the card has no logical channel for us`,
    );
  }
  return new UiccError(
    'noApplication',
    `SELECT: status word ${swText(sw)}: the application is not there or blocked`,
  );
}

/** What the AT interface threw, as the contract of `Uicc` has it. */
export function fromAt(error: unknown): unknown {
  if (!(error instanceof AtError)) return error;
  const code = error.code === 'timeout' || error.code === 'closed' ? error.code : 'malformed';
  return new UiccError(code, error.message, { cause: error });
}
