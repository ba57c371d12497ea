import { it } from 'vitest';
import { findSdk, SdkError } from '../../tools/firmware/sdk.js';
import { describeWith, type Tools } from '../tools.js';

/** Why the firmware cannot be built here. */
function obstacle(): string | undefined {
  try {
    findSdk(process.cwd());
    return undefined;
  } catch (error) {
    if (error instanceof SdkError) return error.message;
    throw error;
  }
}

/** A `describe` that builds the firmware as a program for Linux, and gives it a modem by socat. */
export function describeWithSdk(title: string, tests: (tools: Tools<'socat'>) => void): void {
  const reason = obstacle();
  if (reason === undefined) describeWith(['socat'], title, tests);
  // Where the SDK is set it is meant to be used.
  else if (process.env.MODDABLE && process.env.XS_IPA_NO_SKIP) {
    it(title, () => {
      throw new Error(`${reason} (XS_IPA_NO_SKIP is set)`);
    });
  } else it.skip(`${title} [skipped: ${reason}]`);
}
