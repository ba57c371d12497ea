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

/**
 * A target with promises in it. It must settle by itself, and after a bounded number of steps; nothing interrupts a loop without
 * an end between two of its turns, so what it is made of should have targets of its own.
 */
export interface AsyncFuzzTarget extends Omit<FuzzTarget, 'run'> {
  /** Hostile messages, or pieces of them, in one run: there are so many times fewer runs. */
  each: number;
  run(input: Uint8Array, random: Random): Promise<void>;
}

/** XS_IPA_FUZZ_COUNT inputs (1,000,000) from XS_IPA_FUZZ_SEED (1), as one test. */
export function fuzz(target: FuzzTarget): void {
  define(target.name, 1, async (count, seed) => fuzzOnce(target, count, seed));
}

/** As fuzz(). */
export function fuzzAsync(target: AsyncFuzzTarget): void {
  define(target.name, target.each, (count, seed) => fuzzAsyncOnce(target, count, seed));
}

function define(name: string, each: number, run: (count: number, seed: number) => Promise<FuzzResult>): void {
  const count = Math.ceil(setting('XS_IPA_FUZZ_COUNT', 1_000_000) / each);
  const seed = setting('XS_IPA_FUZZ_SEED', 1);
  const what = each > 1 ? `inputs of ${each} messages` : 'inputs';
  const title = `${name} takes ${count} random and mutated ${what} (XS_IPA_FUZZ_SEED=${seed})`;
  it(title, { timeout: 600_000 }, async () => {
    const { growth, accepted } = await run(count, seed);
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
    throw fault(`${target.name}, input ${done} of XS_IPA_FUZZ_SEED=${seed}`, hangs, draft, error);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** As {@link fuzzOnce}, but for what it says of hanging. */
export async function fuzzAsyncOnce(
  target: AsyncFuzzTarget,
  count: number,
  seed: number,
): Promise<FuzzResult> {
  const random = new Random(seed);
  const draft: Draft = { bytes: new Uint8Array(2048), length: 0 };
  const { stackTraceLimit } = Error;
  let before = 0;
  let refused = 0;
  let done = 0;
  try {
    Error.stackTraceLimit = 0;
    for (; done < count; done++) {
      if (done === Math.min(count - 1, 3 * BATCH)) before = heap();
      generate(draft, random, target, target.mutators ?? []);
      try {
        await target.run(draft.bytes.subarray(0, draft.length), random);
      } catch (error) {
        if (!target.allows(error)) throw error;
        refused++;
      }
    }
    return { growth: heap() - before, refused, accepted: done - refused };
  } catch (error) {
    Error.stackTraceLimit = stackTraceLimit;
    throw fault(`${target.name}, input ${done} of XS_IPA_FUZZ_SEED=${seed}`, false, draft, error);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function fault(which: string, hangs: boolean, { bytes, length }: Draft, cause: unknown): Error {
  const input = Buffer.from(bytes.subarray(0, length)).toString('hex').toUpperCase();
  return new Error(`${which}, ${hangs ? 'hangs' : `fails (${cause})`}: ${input}`, { cause });
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
