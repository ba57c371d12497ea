import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import type { UdpConfiguration } from '../../hal/contracts/index.js';
import { dtlsUdp } from '../../hal/node/dtls/index.js';
import { nodeTimer } from '../../hal/node/timer.js';
import { NodeUdp } from '../../hal/node/udp.js';
import { EuiccPackageRequest } from '../../host-sim/asn1/index.js';
import { RealClock } from '../../host-sim/clock.js';
import { CoapEim, CoapsDoor, Eim } from '../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { MemoryStore } from '../../host-sim/store.js';
import { CoapLink, defaultCoapTimes } from '../../ipa/esipa/coap/index.js';
import type { IpaEvent } from '../../ipa/events.js';
import { FakeDevice, readPoll, readResponse } from '../host-sim/eim/fake-device.js';
import { Program } from '../program.js';
import { describeWith } from '../tools.js';

const EID = '89049032123451234512345678901235';
const poll = Buffer.from(`bf4f125a10${EID}`, 'hex');
/** libcoap's programs take a key as text. */
const KEY = 'not so secret';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'xs-ipa-coap-'));
  open.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function post(client: string, url: string, body: Uint8Array, ...options: string[]) {
  const here = folder();
  const sent = join(here, 'sent');
  const received = join(here, 'received');
  writeFileSync(sent, body);
  const parameters = ['-B', '10', '-m', 'post', '-f', sent, '-o', received, ...options, url];
  const program = new Program(client, parameters);
  open.push(() => program.stop());
  await program.ended();
  try {
    return { answer: readFileSync(received), lines: program.lines };
  } catch {
    return { answer: undefined, lines: program.lines };
  }
}

let pki: Pki;
beforeAll(async () => {
  const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;
  pki = await makePki({ eid: EID, eims, now: Date.now(), random: seeded(1) });
});

async function serve() {
  const eim = new Eim({
    credentials: pki.eims[0],
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock: new RealClock(),
    random: seeded(3),
  });
  const coap = new CoapEim({ eim, port: 0 });
  await coap.open();
  open.push(() => coap.close());
  const problems: string[] = [];
  const door = new CoapsDoor({
    port: 0,
    coapPort: coap.port,
    psk: (identity) => (identity === 'device' ? Buffer.from(KEY) : undefined),
    onProblem: ({ message }) => problems.push(message),
  });
  await door.open();
  open.push(() => door.close());
  return {
    eim,
    problems,
    plain: `coap://127.0.0.1:${coap.port}/gsma/rsp2/asn1`,
    secure: `coaps://127.0.0.1:${door.port}/gsma/rsp2/asn1`,
  };
}

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
      const { answer } = await post(tools[name], options.length > 0 ? secure : plain, poll, ...options);
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
      const first = await post(tools[name], url, poll, ...options);
      const question = readPoll(first.answer).ipaEuiccDataRequest!;
      const data = card.deliver({ ipaEuiccDataResponse: card.data(question) });
      expect(data.length).toBeGreaterThan(1_024);
      const delivered = await post(tools[name], url, data, ...options);
      expect(readResponse(delivered.answer).emptyResponse).toEqual({});
      const { answer } = await post(tools[name], url, poll, ...options);
      expect(answer!.length).toBeGreaterThan(2_048);
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
          const { answer } = await post(tools[name], secure, poll, '-u', identity, '-k', key, '-B', '1');
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
    /** Keeps what is put to it, and gives back what is posted. */
    async function start(name: 'coap-server-openssl' | 'coap-server-gnutls'): Promise<number> {
      const port = await freePort();
      const options = ['-A', '127.0.0.1', '-p', `${port}`, '-d', '10', '-e', '-k', KEY, '-v', '7'];
      const server = new Program(tools[name], options);
      open.push(() => server.stop());
      await server.line(/created DTLS/);
      const here = folder();
      writeFileSync(join(here, 'body'), 'x');
      const put = ['-B', '10', '-m', 'put', '-f', join(here, 'body')];
      const client = new Program(tools['coap-client-notls'], [
        ...put,
        `coap://127.0.0.1:${port}/gsma/rsp2/asn1`,
      ]);
      open.push(() => client.stop());
      await client.ended();
      return port;
    }

    function link(port: number, udp: UdpConfiguration, blockSize = 1_024) {
      const events: IpaEvent[] = [];
      const made = new CoapLink({
        eimId: 'eim',
        udp,
        host: '127.0.0.1',
        port,
        timer: nodeTimer,
        random: Math.random,
        blockSize,
        coapTimes: { ...defaultCoapTimes(), acknowledge: 1_000 },
        observe: (event) => events.push(event),
      });
      open.push(() => made.close());
      made.resume();
      return { link: made, events };
    }
    const secured = (key: string) =>
      dtlsUdp({
        udp: { io: NodeUdp },
        peer: { identity: 'device', key: Buffer.from(key) },
        timer: nodeTimer,
        flight: 300,
        attempts: 3,
      });
    const any = () => true;
    const large = Buffer.concat([Buffer.from('bf50820bb4', 'hex'), Buffer.alloc(2_996, 7)]);

    it.each([16, 256, 1_024])('polls in plain, blocks of %d bytes', async (blockSize) => {
      const port = await start('coap-server-openssl');
      const { link: one } = link(port, { io: NodeUdp }, blockSize);
      expect(Buffer.from(await one.exchange(poll, any))).toEqual(poll);
      expect(Buffer.from(await one.exchange(large, any))).toEqual(large);
    });

    it.each(['coap-server-openssl', 'coap-server-gnutls'] as const)('polls %s over DTLS', async (name) => {
      const port = (await start(name)) + 1;
      const { link: one } = link(port, secured(KEY));
      expect(Buffer.from(await one.exchange(poll, any))).toEqual(poll);
      expect(Buffer.from(await one.exchange(large, any))).toEqual(large);
    });

    it.each(['coap-server-openssl', 'coap-server-gnutls'] as const)(
      'says that %s has another key',
      async (name) => {
        const port = (await start(name)) + 1;
        const { link: one, events } = link(port, secured('wrong'));
        const asked = one.exchange(poll, any);
        asked.catch(() => {});
        while (!events.some((event) => event.event === 'link' && event.state === 'lost'))
          await new Promise((resolve) => setTimeout(resolve, 50));
        const lost = events.find((event) => event.event === 'link' && event.state === 'lost');
        expect(lost).toMatchObject({ detail: expect.stringContaining('DTLS as device: the server') });
        expect(events.some((event) => event.event === 'esipa' && event.direction === 'down')).toBe(false);
      },
    );
  },
);

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
