import { isRegistered, Registration } from '../contracts/index.js';
import type { Expectation } from './at-parser.js';

/** The three domains that report registration, LTE first; any of them counts (at.md §5). */
export const REGISTRATION: readonly { report: string; query: string; expect: Expectation }[] = [
  { report: 'AT+CEREG=2', query: 'AT+CEREG?', expect: { prefix: '+CEREG:', registration: true } },
  { report: 'AT+CGREG=2', query: 'AT+CGREG?', expect: { prefix: '+CGREG:', registration: true } },
  { report: 'AT+CREG=2', query: 'AT+CREG?', expect: { prefix: '+CREG:', registration: true } },
];
const DOMAINS = 3;
/** Each domain has so many bits of one number: 0 = has not said anything, else `stat` and 1. */
const BITS = 8;

/** `stat` as each domain said last, and one `stat` for all. */
export class RegistrationState {
  #told = 0;

  /** Registered if any domain is; else what the most telling domain says, LTE first. */
  get stat(): number {
    let telling: number = Registration.idle;
    for (let i = 0; i < DOMAINS; i++) {
      const stat = ((this.#told >> (BITS * i)) & 0xff) - 1;
      if (isRegistered(stat)) return stat;
      if (telling === Registration.idle && stat > Registration.idle) telling = stat;
    }
    return telling;
  }

  /** After a card reset nothing that was said before holds. */
  reset(): void {
    this.#told = 0;
  }

  /** Takes `+CEREG: …` and the like, answer or unsolicited; false when the line is something else. */
  take(line: string): boolean {
    for (let i = 0; i < DOMAINS; i++) {
      const prefix = REGISTRATION[i].expect.prefix ?? '';
      if (!line.startsWith(prefix)) continue;
      const stat = statOf(line.slice(prefix.length));
      if (stat !== undefined) this.#told = (this.#told & ~(0xff << (BITS * i))) | ((stat + 1) << (BITS * i));
      return true;
    }
    return false;
  }
}

/** `<n>,<stat>[,…]` or `<stat>[,"tac",…]`: only in the first form the second field is a bare number of 1–2 digits. */
function statOf(fields: string): number | undefined {
  const [first, second] = fields.split(',');
  return shortNumber(second) ?? shortNumber(first);
}

function shortNumber(field: string | undefined): number | undefined {
  const text = field?.trim() ?? '';
  if (text.length < 1 || text.length > 2) return undefined;
  const value = Number(text);
  return Number.isInteger(value) && value >= 0 ? value : undefined;
}
