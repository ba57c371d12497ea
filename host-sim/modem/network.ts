import { Registration, type TimerHandle } from '../../hal/contracts/index.js';
import type { Clock } from '../clock.js';

/** How subscriptions whose IMSI begins with `imsi` fare here. The longest matching prefix wins. */
export interface CoverageRule {
  /** Prefix of the IMSI; '' means every subscription. */
  imsi: string;
  /** PLMN that serves it, 5 or 6 digits; its own (from the IMSI) when absent. Another one means roaming. */
  plmn?: string;
  /** Long operator name. */
  operator?: string;
  /** `denied`: the network refuses it. `none`: nobody to register with. */
  service?: 'granted' | 'denied' | 'none';
  /** From search to registration; the modem's own figure when absent. */
  attachMilliseconds?: number;
  /** Access technology of 27.007 §7.3; 7 = E-UTRAN. */
  act?: number;
  tac?: string;
  cell?: string;
}

/** Where a subscription ends up. */
export interface Attachment {
  stat: number;
  plmn: string;
  operator: string;
  act: number;
  tac: string;
  cell: string;
  attachMilliseconds?: number;
}

/** Countries whose mobile network codes have three digits (ITU E.212). */
const THREE_DIGIT_MNC = [
  '302',
  '310',
  '311',
  '312',
  '313',
  '314',
  '315',
  '316',
  '334',
  '338',
  '405',
  '708',
  '722',
  '732',
];

/** Home PLMN of an IMSI, 5 or 6 digits. The card's EF_AD would know better; the country code is near enough here. */
export function homePlmn(imsi: string): string {
  return imsi.slice(0, THREE_DIGIT_MNC.includes(imsi.slice(0, 3)) ? 6 : 5);
}

/** 3 bytes of 3GPP TS 24.008 §10.5.1.3 coding. */
export function plmnBytes(plmn: string): Uint8Array {
  const digit = (at: number) => (at < plmn.length ? Number(plmn[at]) : 15);
  return Uint8Array.of(digit(0) | (digit(1) << 4), digit(2) | (digit(5) << 4), digit(3) | (digit(4) << 4));
}

/** The radio world around the modems: who may register where. May change while they run. */
export class Network {
  readonly #rules = new Map<string, CoverageRule>();
  readonly #listeners = new Set<() => void>();

  /** Without rules every subscription finds its home network. */
  constructor(rules: readonly CoverageRule[] = []) {
    for (const rule of rules) this.#rules.set(rule.imsi, rule);
  }

  /** Adds a rule, or replaces the one of the same prefix. */
  set(rule: CoverageRule): void {
    this.#rules.set(rule.imsi, rule);
    this.#changed();
  }

  /** Forgets the rule of exactly this prefix. */
  remove(imsi: string): void {
    if (this.#rules.delete(imsi)) this.#changed();
  }

  /** The network refuses subscriptions with this prefix from now on. */
  deny(imsi: string): void {
    this.set({ ...this.#rules.get(imsi), imsi, service: 'denied' });
  }

  /** No coverage for subscriptions with this prefix ('' = for nobody) from now on. */
  blackOut(imsi: string): void {
    this.set({ ...this.#rules.get(imsi), imsi, service: 'none' });
  }

  /** Takes deny() or blackOut() of this prefix back. */
  allow(imsi: string): void {
    this.set({ ...this.#rules.get(imsi), imsi, service: 'granted' });
  }

  /**
   * Coverage for subscriptions with this prefix ends in `after` milliseconds of the clock; it is back `lasting`
   * milliseconds later, or stays away.
   * @returns how to call it off
   */
  loseCoverage(clock: Clock, imsi: string, after: number, lasting?: number): () => void {
    let timer: TimerHandle = clock.set(() => {
      this.blackOut(imsi);
      if (lasting !== undefined) timer = clock.set(() => this.allow(imsi), lasting);
    }, after);
    return () => clock.clear(timer);
  }

  /** @returns how to stop listening */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What happens to a subscription that tries now. */
  attach(imsi: string): Attachment {
    let rule: CoverageRule | undefined;
    for (const candidate of this.#rules.values()) {
      if (imsi.startsWith(candidate.imsi) && (!rule || candidate.imsi.length > rule.imsi.length))
        rule = candidate;
    }
    const plmn = rule?.plmn ?? homePlmn(imsi);
    return {
      stat: stat(rule, imsi.startsWith(plmn)),
      plmn,
      operator: rule?.operator ?? `Simulated ${plmn}`,
      act: rule?.act ?? 7,
      tac: rule?.tac ?? '1A2B',
      cell: rule?.cell ?? '01234567',
      attachMilliseconds: rule?.attachMilliseconds,
    };
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function stat(rule: CoverageRule | undefined, home: boolean): number {
  if (rule?.service === 'denied') return Registration.denied;
  if (rule?.service === 'none') return Registration.searching;
  return home ? Registration.home : Registration.roaming;
}
