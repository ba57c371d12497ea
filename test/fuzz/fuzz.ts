import { setFlagsFromString } from 'node:v8';
import { createContext, runInContext, runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { type Corpus, type Draft, generate, type Mutator } from './mutate.js';
import { Random } from './random.js';

/**
 * Something that takes bytes from outside. There is one file per target, so that they run side by side; a new one is
 * `fuzz({ … })` in a new file.
 */
export interface FuzzTarget extends Corpus {
  name: string;
  /** Beyond those every target gets. */
  mutators?: readonly Mutator[];
  /**
   * Puts one input through and checks what must hold for any input. It must keep nothing, and throw
   * when it does more steps than the input's length allows.
   */
  run(input: Uint8Array, random: Random): void;
  /** Is this an error the target may throw? */
  allows(error: unknown): boolean;
}

const BATCH = 10_000;
/** A batch takes well under a second; one that takes so long hangs. */
const HANG = 30_000;
/** Bytes the heap may be larger by after a million inputs: less than one byte for each. */
const GROWTH = 512 * 1024;

function setting(name: string, byDefault: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return byDefault;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`${name} must be a number, not "${text}"`);
  return value;
}

/** XS_IPA_FUZZ_COUNT inputs (1,000,000) from XS_IPA_FUZZ_SEED (1), as one test. */
export function fuzz(target: FuzzTarget): void {
  const count = setting('XS_IPA_FUZZ_COUNT', 1_000_000);
  const seed = setting('XS_IPA_FUZZ_SEED', 1);
  const title = `${target.name} takes ${count} random and mutated inputs (XS_IPA_FUZZ_SEED=${seed})`;
  it(title, { timeout: 600_000 }, () => {
    const { growth, accepted } = fuzzOnce(target, count, seed);
    expect(growth).toBeLessThan(GROWTH);
    // Inputs that are all refused at once would exercise little.
    expect(accepted).toBeGreaterThan(count / 50);
  });
}

export interface FuzzResult {
  /** Bytes of heap more than before, after collection. */
  growth: number;
  /** Inputs that ended with an error the target allows. */
  refused: number;
  accepted: number;
}

/** @throws Error that names the input (seed, number, hex), with the fault as its cause */
export function fuzzOnce(target: FuzzTarget, count: number, seed: number, hang = HANG): FuzzResult {
  const random = new Random(seed);
  const draft: Draft = { bytes: new Uint8Array(2048), length: 0 };
  const extra = target.mutators ?? [];
  const { stackTraceLimit } = Error;
  let refused = 0;
  let done = 0;

  const batch = (size: number) => {
    for (let i = 0; i < size; i++, done++) {
      generate(draft, random, target, extra);
      try {
        target.run(draft.bytes.subarray(0, draft.length), random);
      } catch (error) {
        if (!target.allows(error)) throw error;
        refused++;
      }
    }
  };
  // Only a vm can interrupt a loop that does not end.
  const context = createContext({ batch });
  const runAll = (end: number) => {
    while (done < end) runInContext(`batch(${Math.min(BATCH, end - done)})`, context, { timeout: hang });
  };

  try {
    // Traces cost more than the rest.
    Error.stackTraceLimit = 0;
    // What compilers and caches need is taken before the first measurement.
    runAll(Math.min(count, 3 * BATCH));
    const before = heap();
    runAll(count);
    return { growth: heap() - before, refused, accepted: done - refused };
  } catch (error) {
    Error.stackTraceLimit = stackTraceLimit;
    // It comes from the other realm, so it is no Error of this one.
    const hangs = (error as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    const input = Buffer.from(draft.bytes.subarray(0, draft.length)).toString('hex').toUpperCase();
    throw new Error(
      `${target.name}, input ${done} of XS_IPA_FUZZ_SEED=${seed}, ${hangs ? 'hangs' : `fails (${error})`}: ${input}`,
      { cause: error },
    );
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Bytes in use after a collection. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Throws when a step count passes what an input of its length can need. */
export function bound(steps: number, limit: number): void {
  if (steps > limit) throw new Error(`${steps} steps where ${limit} are enough`);
}
