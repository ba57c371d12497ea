import { describe, expect, it } from 'vitest';
import {
  decode,
  EuiccPackageResult,
  hex,
  iccidBytes,
  iccidDigits,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { MemoryStore } from '../../../host-sim/store.js';
import { C, CardDriver, eimConfiguration, packageOf, resultsOf } from './fixture.js';

class PowerCut extends Error {}

/** Dies at the n-th save, before or after it is durable; keeps what every save wrote. */
class CuttingStore extends MemoryStore {
  readonly saved: string[] = [];
  readonly #cutAt: number;
  readonly #when: 'before' | 'after';

  constructor(cutAt = Number.POSITIVE_INFINITY, when: 'before' | 'after' = 'before') {
    super();
    this.#cutAt = cutAt;
    this.#when = when;
  }

  override save(bytes: Uint8Array): void {
    const dies = this.saved.length === this.#cutAt;
    if (dies && this.#when === 'before') throw new PowerCut();
    super.save(bytes);
    this.saved.push(hex(bytes));
    if (dies) throw new PowerCut();
  }
}

const enable = packageOf(
  { psmo: [{ enable: { iccid: iccidBytes(C), rollbackFlag: true } }] },
  { counterValue: 1 },
);

function life(driver: CardDriver): void {
  driver.bringUp();
  driver.addInitialEim(eimConfiguration());
  driver.es10(enable);
  driver.card.reset();
  driver.bringUp();
  for (const seqNumber of [1, 2, 3]) driver.es10(Uint8Array.of(0xbf, 0x30, 3, 0x80, 1, seqNumber));
}

const whole = new CuttingStore();
life(new CardDriver({ store: whole }));

describe('a power cut at any save', () => {
  it('saves once per state-changing command', () => {
    // AddInitialEim, the package, the switch at the reset, three removals.
    expect(whole.saved).toHaveLength(6);
  });

  const cases = whole.saved.flatMap((_bytes, n) => [
    { n, when: 'before' as const },
    { n, when: 'after' as const },
  ]);

  it.each(cases)('$when save $n', ({ n, when }) => {
    const store = new CuttingStore(n, when);
    expect(() => life(new CardDriver({ store }))).toThrow(PowerCut);
    // Byte for byte what was there before that command, or after it.
    const left = store.load();
    expect(left && hex(left)).toBe(whole.saved[when === 'before' ? n - 1 : n]);

    const copy = new MemoryStore();
    if (left) copy.save(left);
    const driver = new CardDriver({ store: copy });
    driver.card.reset();
    driver.bringUp();
    if (driver.card.eims.length === 0) driver.addInitialEim(eimConfiguration());
    // Whoever does not know whether it was carried out sends the same bytes again.
    const answer = decode(EuiccPackageResult, driver.es10(enable));
    const before = n < 1 || (n === 1 && when === 'before');
    expect(answer.euiccPackageResultSigned !== undefined).toBe(before);
    driver.card.reset();
    driver.bringUp();

    expect(driver.card.profiles.filter((p) => p.enabled).map((p) => iccidDigits(p.iccid))).toEqual([C]);
    const removed = n < 3 ? 0 : n - 3 + (when === 'after' ? 1 : 0);
    const kept = [...driver.card.results, ...driver.card.notifications].map((p) => p.seqNumber);
    expect(kept).toEqual([1, 2, 3].slice(removed));
    for (const result of driver.card.results) expect(resultsOf(result.bytes)).toEqual([{ enableResult: 0 }]);
    expect(driver.card.state.nextSeqNumber).toBe(4);
    expect(driver.card.eims[0].counterValue).toBe(1);
    expect(hex(driver.es10(unhex('BF3003800103')))).toBe(removed === 3 ? 'BF3003800101' : 'BF3003800100');
  });
});

it('a stored state that cannot be read is said so', () => {
  const store = new MemoryStore();
  store.save(unhex('FF00'));
  expect(() => new CardDriver({ store })).toThrow(/state of the virtual eUICC/);
  store.save(unhex('A0'));
  expect(() => new CardDriver({ store })).toThrow(/another version/);
});
