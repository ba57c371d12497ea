import { describe, expect, it } from 'vitest';
import { type FuzzTarget, fuzzOnce } from './fuzz.js';

/** The harness itself: it must find what it is there to find. */
describe('fuzz', () => {
  const target: FuzzTarget = {
    name: 'sample',
    messages: [Uint8Array.of(1, 2, 3)],
    alphabet: [0x30],
    run: () => {},
    allows: (error) => error instanceof RangeError,
  };

  it('gives the same inputs for the same seed and others for another', () => {
    const inputs = (seed: number) => {
      const list: string[] = [];
      fuzzOnce({ ...target, run: (input) => void list.push(input.join()) }, 200, seed);
      return list;
    };
    expect(inputs(7)).toEqual(inputs(7));
    expect(inputs(7)).not.toEqual(inputs(8));
    expect(new Set(inputs(7)).size).toBeGreaterThan(100);
  });

  it('counts errors that are allowed', () => {
    const run = (input: Uint8Array) => {
      if (input.length > 5) throw new RangeError('long');
    };
    const { refused, accepted } = fuzzOnce({ ...target, run }, 500, 1);
    expect(refused).toBeGreaterThan(0);
    expect(accepted).toBeGreaterThan(0);
    expect(refused + accepted).toBe(500);
  });

  it('finds an error of a foreign type and names the input', () => {
    const run = (input: Uint8Array) => {
      if (input[0] === 0x30) throw new TypeError('foreign');
    };
    expect(() => fuzzOnce({ ...target, run }, 10_000, 1)).toThrow(
      /sample, input \d+ of XS_IPA_FUZZ_SEED=1, fails \(TypeError: foreign\): 30/,
    );
  });

  it('finds a hang', () => {
    const run = (input: Uint8Array) => {
      while (input[0] === 0x30);
    };
    expect(() => fuzzOnce({ ...target, run }, 10_000, 1, 200)).toThrow(/hangs: 30/);
  });

  it('finds growth of ten bytes an input', () => {
    const kept: number[] = [];
    const run = () => void kept.push(kept.length + 0.5);
    expect(fuzzOnce({ ...target, run }, 200_000, 1).growth).toBeGreaterThan(1_000_000);
  });
});
