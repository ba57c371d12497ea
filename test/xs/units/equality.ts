/** What an expected value may have in it instead of a value. */
export interface Asymmetric {
  asymmetricMatch(actual: unknown): boolean;
}

export function isAsymmetric(value: unknown): value is Asymmetric {
  return typeof (value as Asymmetric | null | undefined)?.asymmetricMatch === 'function';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value);
}

/** Same structure; properties that are undefined may be missing. */
export function equals(actual: unknown, expected: unknown): boolean {
  return compare(actual, expected, false);
}

/** Every property of `expected` is in `actual`; lists have the same length. */
export function contains(actual: unknown, expected: unknown): boolean {
  return compare(actual, expected, true);
}

function compare(actual: unknown, expected: unknown, partly: boolean): boolean {
  if (isAsymmetric(expected)) return expected.asymmetricMatch(actual);
  if (Object.is(actual, expected)) return true;
  if (!isObject(actual) || !isObject(expected)) return false;
  if (isList(actual) || isList(expected)) {
    if (!isList(actual) || !isList(expected) || actual.length !== expected.length) return false;
    for (let i = 0; i < expected.length; i++) if (!compare(actual[i], expected[i], partly)) return false;
    return true;
  }
  if (expected instanceof Map || expected instanceof Set) {
    return compare([...(actual as unknown as Iterable<unknown>)], [...expected], partly);
  }
  if (expected instanceof Error && !partly) {
    return (actual as unknown as Error).message === expected.message;
  }
  for (const key of Object.keys(expected)) {
    if (partly && expected[key] !== undefined && !(key in actual)) return false;
    if (!compare(actual[key], expected[key], partly)) return false;
  }
  if (partly) return true;
  return Object.keys(actual).every((key) => actual[key] === undefined || key in expected);
}

/** For messages; cut short. */
export function render(value: unknown): string {
  let text: string;
  if (typeof value === 'string') text = JSON.stringify(value);
  else if (value instanceof Error) text = `${value.constructor.name}(${value.message})`;
  else if (ArrayBuffer.isView(value)) text = `bytes(${String(value)})`;
  else if (typeof value === 'function') text = value.name || 'function';
  else if (isObject(value)) {
    try {
      text = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}n` : item)) ?? '{}';
    } catch {
      text = '{…}';
    }
  } else text = String(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
