import Host from 'host';
import { type Asymmetric, contains, equals, isAsymmetric, render } from './equality.js';

/** As much of vitest as the tests of ipa/ and hal/modem use, to run them on XS. What it does not have fails loudly. */
interface Case {
  name: string;
  run: () => unknown;
}

const cases: Case[] = [];
const path: string[] = [];

class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function describe(title: string, define: () => void): void {
  path.push(title);
  define();
  path.pop();
}

export function it(title: string, run: () => unknown): void {
  cases.push({ name: [...path, title].join(' > '), run });
}

export const test = it;

type Row = readonly unknown[];

describe.each =
  (rows: readonly unknown[]) =>
  (title: string, define: (...values: unknown[]) => void): void => {
    rows.forEach((row, index) => {
      const values = Array.isArray(row) ? (row as Row) : [row];
      describe(format(title, values, index), () => define(...values));
    });
  };

it.each =
  (rows: readonly unknown[]) =>
  (title: string, run: (...values: unknown[]) => unknown): void => {
    rows.forEach((row, index) => {
      const values = Array.isArray(row) ? (row as Row) : [row];
      it(format(title, values, index), () => run(...values));
    });
  };

/** %s and its like take the next value, %# and %$ the number, $name a property. */
function format(title: string, values: Row, index: number): string {
  let next = 0;
  const property = (value: unknown, keys: string) =>
    keys.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
  return title
    .replace(/%([sdifjoc#$%])/g, (_, kind: string) => {
      if (kind === '%') return '%';
      if (kind === '#') return String(index);
      if (kind === '$') return String(index + 1);
      const value = values[next++];
      return typeof value === 'string' ? value : render(value);
    })
    .replace(/\$([\w.]+)/g, (_, keys: string) => String(property(values[0], keys)));
}

/** Runs everything that was registered, one line of JSON per test. */
export async function runAll(): Promise<void> {
  for (const { name, run } of cases) {
    let error: string | undefined;
    try {
      await run();
    } catch (thrown) {
      error = thrown instanceof Error ? `${thrown.constructor.name}: ${thrown.message}` : String(thrown);
    }
    Host.log(JSON.stringify({ name, error }));
  }
  Host.exit();
}

type Verdict = (actual: unknown, ...expected: never[]) => boolean;

const matchers: Record<string, Verdict> = {
  toBe: (actual, expected) => Object.is(actual, expected),
  toEqual: (actual, expected) => equals(actual, expected),
  toStrictEqual: (actual, expected) => equals(actual, expected),
  toMatchObject: (actual, expected) => contains(actual, expected),
  toBeUndefined: (actual) => actual === undefined,
  toBeDefined: (actual) => actual !== undefined,
  toBeNull: (actual) => actual === null,
  toBeTruthy: (actual) => Boolean(actual),
  toBeFalsy: (actual) => !actual,
  toBeInstanceOf: (actual, expected: new () => unknown) => actual instanceof expected,
  toBeLessThan: (actual, expected: number) => (actual as number) < expected,
  toBeLessThanOrEqual: (actual, expected: number) => (actual as number) <= expected,
  toBeGreaterThan: (actual, expected: number) => (actual as number) > expected,
  toBeGreaterThanOrEqual: (actual, expected: number) => (actual as number) >= expected,
  toHaveLength: (actual, expected: number) => (actual as { length: number }).length === expected,
  toContain: (actual, expected: unknown) =>
    typeof actual === 'string'
      ? actual.includes(expected as string)
      : [...(actual as Iterable<unknown>)].includes(expected),
  toContainEqual: (actual, expected) => (actual as unknown[]).some((item) => equals(item, expected)),
  toMatch: (actual, expected: string | RegExp) =>
    typeof expected === 'string' ? String(actual).includes(expected) : expected.test(String(actual)),
  toThrow: (actual, expected?: unknown) => {
    const error = actual as { message?: string } | undefined;
    if (error === undefined) return false;
    if (expected === undefined) return true;
    if (typeof expected === 'function') return error instanceof expected;
    if (typeof expected === 'string') return String(error.message).includes(expected);
    if (expected instanceof RegExp) return expected.test(String(error.message));
    if (isAsymmetric(expected)) return expected.asymmetricMatch(error);
    return equals(error.message, (expected as Error).message);
  },
};

type Assertion = Record<string, (...expected: unknown[]) => unknown> & { not: Assertion };

function assertion(actual: unknown, negated: boolean, note: string): Assertion {
  const bound: Record<string, unknown> = {};
  for (const [name, verdict] of Object.entries(matchers)) {
    bound[name] = (...expected: never[]) => {
      const subject = name === 'toThrow' && typeof actual === 'function' ? thrownBy(actual) : actual;
      if (verdict(subject, ...expected) === negated) {
        const what = `${negated ? 'not ' : ''}${name}(${expected.map((value) => render(value)).join(', ')})`;
        throw new AssertionError(`${note}expected ${render(subject)} ${what}`);
      }
    };
  }
  if (!negated) bound.not = assertion(actual, true, note);
  return bound as Assertion;
}

function thrownBy(run: unknown): unknown {
  try {
    (run as () => void)();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Matchers on what becomes of a promise. */
function settled(actual: unknown, rejected: boolean, note: string): Assertion {
  const later = async (name: string, expected: unknown[]) => {
    let value: unknown;
    let failed = false;
    try {
      value = await (typeof actual === 'function' ? actual() : actual);
    } catch (error) {
      value = error;
      failed = true;
    }
    if (failed !== rejected) {
      throw new AssertionError(
        `${note}the promise was ${failed ? 'rejected' : 'fulfilled'}: ${render(value)}`,
      );
    }
    return assertion(value, false, note)[name](...expected);
  };
  const bound: Record<string, unknown> = {};
  for (const name of Object.keys(matchers)) bound[name] = (...expected: unknown[]) => later(name, expected);
  return bound as Assertion;
}

export function expect(
  actual: unknown,
  message?: string,
): Assertion & { resolves: Assertion; rejects: Assertion } {
  const note = message === undefined ? '' : `${message}: `;
  return Object.assign(assertion(actual, false, note), {
    resolves: settled(actual, false, note),
    rejects: settled(actual, true, note),
  });
}

function asymmetric(asymmetricMatch: (actual: unknown) => boolean): Asymmetric {
  return { asymmetricMatch };
}

expect.objectContaining = (expected: object) => asymmetric((actual) => contains(actual, expected));
expect.stringContaining = (expected: string) =>
  asymmetric((actual) => typeof actual === 'string' && actual.includes(expected));
expect.stringMatching = (expected: RegExp) =>
  asymmetric((actual) => typeof actual === 'string' && expected.test(actual));
expect.any = (expected: new () => unknown) =>
  asymmetric((actual) => actual instanceof expected || Object(actual) instanceof expected);
expect.anything = () => asymmetric((actual) => actual !== undefined && actual !== null);
