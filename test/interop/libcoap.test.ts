import { afterEach, beforeAll, expect, it } from 'vitest';
import { NodeUdp } from '../../hal/node/udp.js';
import { EuiccPackageRequest } from '../../host-sim/asn1/index.js';
import type { Pki } from '../../host-sim/pki/index.js';
import { FakeDevice, readPoll, readResponse } from '../host-sim/eim/fake-device.js';
import { describeWith } from '../tools.js';
import { EID, LibcoapScene, poll, secured, testPki } from './libcoap.js';

/** libcoap's programs take a key as text. */
const KEY = 'not so secret';

const scene = new LibcoapScene();
afterEach(() => scene.close());

let pki: Pki;
beforeAll(async () => {
  pki = await testPki();
});

const serve = () =>
  scene.serve(pki, { psk: (identity) => (identity === 'device' ? Buffer.from(KEY) : undefined) });

describeWith(
  ['coap-client-notls', 'coap-client-openssl', 'coap-client-gnutls'],
  "libcoap's client and our eIM",
  (tools) => {
    const clients = [
      ['coap-client-notls', []],
      ['coap-client-openssl', ['-u', 'device', '-k', KEY]],
      ['coap-client-gnutls', ['-u', 'device', '-k', KEY]],
    ] as const;

    it.each(clients)('%s polls', async (name, options) => {
      const { plain, secure, problems } = await serve();
      const { answer } = await scene.post(tools[name], options.length > 0 ? secure : plain, poll, ...options);
      expect(readPoll(answer).ipaEuiccDataRequest).toBeDefined();
      expect(problems).toEqual([]);
    });

    it.each(clients)('%s gets a large answer and sends a large message, in blocks', async (name, options) => {
      const { eim, plain, secure } = await serve();
      const url = options.length > 0 ? secure : plain;
      const card = new FakeDevice(pki, 9);
      const deletions = Array.from(
        { length: 150 },
        () => ({ op: 'delete', iccid: '89000101000000000018' }) as const,
      );
      void eim.queue(EID, { psmo: deletions });
      const first = await scene.post(tools[name], url, poll, ...options);
      const question = readPoll(first.answer).ipaEuiccDataRequest!;
      const data = card.deliver({ ipaEuiccDataResponse: card.data(question) });
      expect(data.length).toBeGreaterThan(1_024);
      const delivered = await scene.post(tools[name], url, data, ...options, '-v', '7');
      expect(delivered.lines.some((line) => /c:2\.31 .*Block1:0\/M/.test(line))).toBe(true);
      expect(readResponse(delivered.answer).emptyResponse).toEqual({});
      const { answer, lines } = await scene.post(tools[name], url, poll, ...options, '-v', '7');
      expect(answer!.length).toBeGreaterThan(2_048);
      expect(answer!.subarray(0, 2).toString('hex')).toBe('bf4f');
      const blocks = lines.flatMap((line) => /t:ACK c:2\.05 .*(Block2:\d\/.)/.exec(line)?.[1] ?? []);
      expect(new Set(blocks)).toEqual(new Set(['Block2:0/M', 'Block2:1/M', 'Block2:2/_']));
      expect(card.accepts(EuiccPackageRequest.write(readPoll(answer).euiccPackageRequest!))).toBe(true);
    });

    it.each(['coap-client-openssl', 'coap-client-gnutls'] as const)(
      '%s is refused with another key or identity',
      async (name) => {
        const { secure, problems } = await serve();
        for (const [identity, key] of [
          ['device', 'wrong'],
          ['stranger', KEY],
        ]) {
          const { answer } = await scene.post(
            tools[name],
            secure,
            poll,
            '-u',
            identity,
            '-k',
            key,
            '-B',
            '1',
          );
          expect(answer).toBeUndefined();
        }
        expect(problems[0]).toContain('another key for the identity "device"');
        expect(problems.at(-1)).toContain('no key for the identity "stranger"');
      },
    );
  },
);

describeWith(
  ['coap-server-openssl', 'coap-server-gnutls', 'coap-client-notls'],
  "our link and libcoap's server",
  (tools) => {
    const start = (name: 'coap-server-openssl' | 'coap-server-gnutls') =>
      scene.serveLibcoap(tools[name], tools['coap-client-notls'], '-k', KEY);
    const psk = (key: string) => secured({ identity: 'device', key: Buffer.from(key) });
    const any = () => true;
    const large = Buffer.concat([Buffer.from('bf50820bb4', 'hex'), Buffer.alloc(2_996, 7)]);

    it.each([16, 256, 1_024])('polls in plain, blocks of %d bytes', async (blockSize) => {
      const port = await start('coap-server-openssl');
      const { link: one } = scene.link(port, { io: NodeUdp }, blockSize);
      expect(Buffer.from(await one.exchange(poll, any))).toEqual(poll);
      expect(Buffer.from(await one.exchange(large, any))).toEqual(large);
    });

    it.each(['coap-server-openssl', 'coap-server-gnutls'] as const)('polls %s over DTLS', async (name) => {
      const port = (await start(name)) + 1;
      const { link: one } = scene.link(port, psk(KEY));
      expect(Buffer.from(await one.exchange(poll, any))).toEqual(poll);
      expect(Buffer.from(await one.exchange(large, any))).toEqual(large);
    });

    it.each(['coap-server-openssl', 'coap-server-gnutls'] as const)(
      'says that %s has another key',
      async (name) => {
        const port = (await start(name)) + 1;
        const { refusal } = scene.link(port, psk('wrong'));
        const { detail, isHeard } = await refusal();
        expect(detail).toContain('DTLS as device: the server');
        expect(isHeard).toBe(false);
      },
    );
  },
);
