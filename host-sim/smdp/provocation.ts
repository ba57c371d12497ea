import { SmdpError } from './error.js';
import { firstFunction, isStatusCode, Refusal, type RspFunction, type StatusCode } from './refusal.js';

/** What a server is to tell in place of what would be right. */
export interface Provocation {
  status: StatusCode;
  function: RspFunction;
  /** Left; absent: always. */
  times?: number;
}

/** @param text "8.2.6/3.8", or with "@function" to name the one that tells it. @throws SmdpError 'argument' */
export function provocation(text: string, times?: number): Provocation {
  const [status, called] = text.split('@');
  if (!isStatusCode(status)) throw new SmdpError('argument', `"${status}" is no status code of ES9+ or ES11`);
  const named = (called as RspFunction | undefined) ?? firstFunction(status);
  return { status, function: named, ...(times !== undefined && { times }) };
}

/** @throws Refusal where one of them is meant for this function, and counts it */
export function provoke(list: readonly Provocation[], called: RspFunction): void {
  const found = list.find((one) => one.function === called && one.times !== 0);
  if (!found) return;
  if (found.times !== undefined) found.times--;
  throw new Refusal(found.status, `provoked: ${found.status}`);
}
