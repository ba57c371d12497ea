/** What goes wrong. */
export type FaultAction =
  /** `+CME ERROR: code` instead of the command; `executed`: instead of its answer only, the card has acted. */
  | { kind: 'cme'; code: number; executed?: boolean }
  /** ERROR, likewise */
  | { kind: 'error'; executed?: boolean }
  /** The card's answer is replaced by this status word; `executed`: after the card has carried the command out. */
  | { kind: 'statusWord'; sw: number; executed?: boolean }
  /** No answer at all; the command is carried out unless `executed` is false. */
  | { kind: 'noAnswer'; executed?: boolean }
  /** Only the first `keep` characters of the whole answer come. */
  | { kind: 'truncate'; keep: number }
  /** `count` characters of the answer are missing from offset `at` on. */
  | { kind: 'loseBytes'; at: number; count: number }
  /** An unsolicited line before the answer or between answer and final result. */
  | { kind: 'urc'; where: 'before' | 'between'; line: string }
  /** The answer comes this much later. */
  | { kind: 'delay'; milliseconds: number }
  /** Contact with the card is lost: `+CME ERROR: 0` until the card is powered down and up. */
  | { kind: 'simDropped' };

/** One fault: where it strikes (all given conditions must hold, at least one is needed), how often, and what it does. */
export interface Fault {
  /** The nth command line of the TE (from 1), or a predicate. */
  command?: number | ((n: number, line: string) => boolean);
  /** The nth APDU the TE sends to the card (from 1), or a predicate. */
  apdu?: number | ((n: number, apdu: Uint8Array) => boolean);
  /** Every nth command line. */
  every?: number;
  /** Strikes at most so often; once when absent, without limit with `every`. */
  times?: number;
  action: FaultAction;
}

export type Faults = readonly Fault[];

/** The registration report of spec/at.md §10 where a parser least expects it, at every `n`th command. */
export function strayReports(n: number): Faults {
  const line = '+CREG: 1,"1A2B","01234567",7';
  return [
    { every: n, action: { kind: 'urc', where: 'before', line } },
    { every: n, action: { kind: 'urc', where: 'between', line } },
  ];
}

/** Keeps count of what has struck. */
export class FaultPlan {
  readonly #faults: Faults;
  readonly #left: number[];

  constructor(faults: Faults) {
    this.#faults = faults;
    this.#left = faults.map(
      (fault) => fault.times ?? (fault.every === undefined ? 1 : Number.POSITIVE_INFINITY),
    );
  }

  /** Faults without an APDU condition. */
  atCommand(n: number, line: string): FaultAction[] {
    return this.#strike(
      (fault) =>
        fault.apdu === undefined &&
        (fault.command !== undefined || fault.every !== undefined) &&
        commandMatches(fault, n, line),
    );
  }

  /** Faults with an APDU condition. */
  atApdu(n: number, apdu: Uint8Array, commandNumber: number, line: string): FaultAction[] {
    return this.#strike((fault) => {
      if (fault.apdu === undefined || !commandMatches(fault, commandNumber, line)) return false;
      return typeof fault.apdu === 'number' ? fault.apdu === n : fault.apdu(n, apdu);
    });
  }

  #strike(matches: (fault: Fault) => boolean): FaultAction[] {
    const struck: FaultAction[] = [];
    for (const [index, fault] of this.#faults.entries()) {
      if (this.#left[index] <= 0 || !matches(fault)) continue;
      this.#left[index]--;
      struck.push(fault.action);
    }
    return struck;
  }
}

function commandMatches(fault: Fault, n: number, line: string): boolean {
  if (fault.every !== undefined && n % fault.every !== 0) return false;
  if (fault.command === undefined) return true;
  return typeof fault.command === 'number' ? fault.command === n : fault.command(n, line);
}
