import { describe, it } from 'vitest';
import { describeOnXs } from './available.js';
import { bundleTests } from './bundle-tests.js';
import { type HostResult, runOnXs } from './run.js';

/**
 * Tests of device code that need nothing of Node. Missing are those with the whole simulator around the device, for which
 * ipa.test.ts stands, and esipa/mirror: the simulator's integers go wrong on XS 13, where -256n >> 8n is -2n.
 */
const FILES = [
  'test/ipa/tlv/cursor.test.ts',
  'test/ipa/tlv/stream.test.ts',
  'test/ipa/tlv/writer.test.ts',
  'test/ipa/es10/es10.test.ts',
  'test/ipa/es10/functions.test.ts',
  'test/ipa/es10/vectors.test.ts',
  'test/ipa/es9/activation-code.test.ts',
  'test/ipa/esipa/dispatcher.test.ts',
  'test/ipa/esipa/vectors.test.ts',
  'test/hal/at-client.test.ts',
  'test/hal/at-parser.test.ts',
  'test/hal/modem.test.ts',
  'test/hal/xs/http-parser.test.ts',
  'test/hal/uicc.test.ts',
];

const only = process.env.XS_UNITS;
await describeOnXs('on XS', async () => {
  for (const file of FILES.filter((name) => !only || name.includes(only))) {
    // The tests themselves, and what they import, are no device code: they may have all the memory they want.
    const result = await runOnXs({ entry: await bundleTests(file), roomy: true });
    describe(file, () => register(result));
  }
});

function register({ code, lines, complaints }: HostResult): void {
  for (const line of lines) {
    const { name, error } = JSON.parse(line) as { name: string; error?: string };
    it(name, () => {
      if (error) throw new Error(error);
    });
  }
  it('runs to its end', () => {
    if (code !== 0) throw new Error(`exit code ${code}: ${complaints}`);
  });
}
