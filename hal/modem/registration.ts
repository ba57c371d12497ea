import { isRegistered, Registration } from '../contracts/index.js';

/** The three domains that report registration; any of them counts (at.md §5). */
export const REGISTRATION_COMMANDS = ['CEREG', 'CGREG', 'CREG'] as const;

/** `stat` as each domain said last, and one `stat` for all. */
export class RegistrationState {
  readonly #stats: number[] = [NOT_TOLD, NOT_TOLD, NOT_TOLD];

  /** Registered if any domain is; else what the most telling domain says, LTE first. */
  get stat(): number {
    for (const stat of this.#stats) if (isRegistered(stat)) return stat;
    for (const stat of this.#stats) if (stat !== NOT_TOLD && stat !== Registration.idle) return stat;
    return Registration.idle;
  }

  /** After a card reset nothing that was said before holds. */
  reset(): void {
    this.#stats.fill(NOT_TOLD);
  }

  /** Takes `+CEREG: …` and the like, answer or unsolicited; false when the line is something else. */
  take(line: string): boolean {
    for (let i = 0; i < REGISTRATION_COMMANDS.length; i++) {
      const prefix = `+${REGISTRATION_COMMANDS[i]}:`;
      if (!line.startsWith(prefix)) continue;
      const stat = statOf(line.slice(prefix.length));
      if (stat !== undefined) this.#stats[i] = stat;
      return true;
    }
    return false;
  }
}

const NOT_TOLD = -1;

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
