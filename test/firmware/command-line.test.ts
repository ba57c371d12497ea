import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../tools/firmware/build.js';
import { runEnable } from '../../tools/firmware/enable.js';
import { findSdk, SdkError } from '../../tools/firmware/sdk.js';
import { describeWith, tool } from '../tools.js';

// The firmware as a program for Linux: the real engine on the SDK's own serial, TCP and timer modules. It is built where the
// SDK is; XS_IPA_CLI names one that is built already.

const root = process.cwd();
const CLIENTS = ['own', 'sdk'] as const;

/** Why it cannot be built here. */
function obstacle(): string | undefined {
  if (process.env.XS_IPA_CLI) return undefined;
  try {
    findSdk(root);
    return undefined;
  } catch (error) {
    if (error instanceof SdkError) return error.message;
    throw error;
  }
}

const reason = obstacle();
if (reason !== undefined) {
  // Where the SDK is set it is meant to be used.
  if (process.env.MODDABLE && process.env.XS_IPA_NO_SKIP) {
    it('the firmware on Linux', () => {
      throw new Error(`${reason} (XS_IPA_NO_SKIP is set)`);
    });
  } else it.skip(`the firmware on Linux [skipped: ${reason}]`);
} else {
  describeWith(['socat'], 'the firmware on Linux', ({ socat }) => {
    describe.each(process.env.XS_IPA_CLI ? (['own'] as const) : CLIENTS)(
      'with the MQTT client %s',
      (mqtt) => {
        it('enables a profile and reports it', { timeout: 300_000 }, async () => {
          const program =
            process.env.XS_IPA_CLI ?? (await buildProgram(root, findSdk(root), { mqtt })).program;
          const said: string[] = [];
          const result = await runEnable({
            program,
            socat,
            mosquitto: tool('mosquitto'),
            onLine: (line) => said.push(line),
          });
          expect(result, said.join('\n')).toMatchObject({
            ok: true,
            enabled: 'Beta Cellular IoT',
            outcomes: { listProfileInfo: { outcome: 'verified' }, enable: { outcome: 'verified' } },
          });
          // An ESP32 has 384 slots where nothing else is said.
          expect(result.machine?.stackPeak).toBeLessThan(384);
        });
      },
    );
  });
}
