import { describe, expect, it } from 'vitest';
import { type BuildOptions, buildProgram } from '../../tools/firmware/build.js';
import { runEnable } from '../../tools/firmware/enable.js';
import { findSdk } from '../../tools/firmware/sdk.js';
import type { LinkUnderTest, TrustUnderTest } from '../../tools/firmware/way.js';
import { tool } from '../tools.js';
import { describeWithSdk } from './with-sdk.js';

// The firmware as a program for Linux: the real engine on the SDK's own serial, TCP, UDP, TLS and timer modules. It is built
// where the SDK is.

const root = process.cwd();

interface Variant {
  link: LinkUnderTest;
  trust?: TrustUnderTest;
  build?: BuildOptions;
}

const VARIANTS: readonly Variant[] = [
  { link: 'mqtt' },
  { link: 'mqtt', build: { mqtt: 'sdk' } },
  { link: 'coap' },
  { link: 'coap', build: { without: ['mqtt', 'https'] } },
  { link: 'http' },
  { link: 'http', build: { without: ['json', 'coap'] } },
  { link: 'https', trust: 'key', build: { tls: true } },
  { link: 'https', trust: 'certificate', build: { tls: true } },
  { link: 'https', trust: 'ca', build: { tls: true } },
  { link: 'https-json', build: { tls: true } },
];

describeWithSdk('the firmware on Linux', ({ socat }) => {
  describe.each(VARIANTS)('%o', ({ link, trust, build }) => {
    it('enables a profile and reports it', { timeout: 600_000 }, async () => {
      const { program } = await buildProgram(root, findSdk(root), build);
      const said: string[] = [];
      const onLine = (line: string) => said.push(line);
      const result = await runEnable({ program, socat, mosquitto: tool('mosquitto'), link, trust, onLine });
      expect(result, said.join('\n')).toMatchObject({
        ok: true,
        enabled: 'Beta Cellular IoT',
        outcomes: { listProfileInfo: { outcome: 'verified' }, enable: { outcome: 'verified' } },
      });
      // An ESP32 has 384 slots where nothing else is said.
      expect(result.machine?.stackPeak).toBeLessThan(384);
    });
  });
});
