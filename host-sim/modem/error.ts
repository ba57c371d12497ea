import { XsIpaError } from '../../hal/contracts/index.js';

/** The simulated modem was used in a way its hardware would not allow. */
export class SimModemError extends XsIpaError {
  override readonly name = 'SimModemError';

  constructor(
    code: /** another TE holds the port */
      | 'portBusy'
      /** more was written than onWritable allowed */
      | 'overrun'
      /** the port was closed */
      | 'closed'
      /** no personality of that name */
      | 'unknownPersonality',
    message: string,
  ) {
    super(code, message);
  }
}

/** Texts of 3GPP TS 27.007 §9.2, for +CMEE=2. */
const CME_TEXTS: Record<number, string> = {
  0: 'phone failure',
  3: 'operation not allowed',
  4: 'operation not supported',
  10: 'SIM not inserted',
  11: 'SIM PIN required',
  13: 'SIM failure',
  14: 'SIM busy',
  15: 'SIM wrong',
  16: 'incorrect password',
  20: 'memory full',
  21: 'invalid index',
  22: 'not found',
  30: 'no network service',
  50: 'incorrect parameters',
  100: 'unknown',
  515: 'please wait, initialising',
};

/** Ends a command with +CME ERROR (or ERROR, as +CMEE has it). */
export class CmeError extends Error {
  override readonly name = 'CmeError';
  readonly cme: number;

  constructor(cme: number) {
    super(CME_TEXTS[cme] ?? `error ${cme}`);
    this.cme = cme;
  }
}

/** Ends a command with a bare ERROR whatever +CMEE says: the command line was not understood. */
export class LineError extends Error {
  override readonly name = 'LineError';
}

/** A command the modem swallows without any answer. */
export class Silence extends Error {
  override readonly name = 'Silence';
}
