import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBER } from 'asn1js';
import { connectAsync } from 'mqtt';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { mqttConfiguration } from '../../hal/node/mqtt.js';
import * as m from '../../host-sim/asn1/index.js';
import { decode, hex, readElement, tagName, unhex } from '../../host-sim/asn1/index.js';
import { RealClock } from '../../host-sim/clock.js';
import { Eim, MqttEim, type MqttEimOptions } from '../../host-sim/eim/index.js';
import { makePki, type Pki, pem, pkcs8 } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { MemoryStore } from '../../host-sim/store.js';
import { writeGetEimPackageRequest } from '../../ipa/esipa/index.js';
import { MqttLink } from '../../ipa/esipa/mqtt/link.js';
import type { IpaEvent } from '../../ipa/events.js';
import { Writer } from '../../ipa/tlv/index.js';
import { Program, xsIpa } from '../program.js';
import { describeWith } from '../tools.js';
import { Mosquitto, passwordLine } from './mosquitto.js';

const EID = '89049032123451234512345678901235';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** The demo's events. No pacing of the serial line and a faster clock: the same messages in less time. */
async function demo(...options: string[]): Promise<Record<string, unknown>[]> {
  const fast = ['--baud', '0', '--speed', '5'];
  const program = xsIpa('demo', '--json', ...fast, ...options);
  open.push(() => program.stop());
  const code = await program.ended();
  expect(code, program.lines.slice(-3).join('\n')).toBe(0);
  return program.lines.map((line) => JSON.parse(line));
}

interface Sniffed {
  topic: string;
  bytes: Uint8Array;
}

describeWith(['mosquitto', 'mosquitto_sub'], 'the demo against Mosquitto', (tools) => {
  let events: Record<string, unknown>[];
  let sniffed: Sniffed[];

  beforeAll(async () => {
    const broker = await Mosquitto.start(tools.mosquitto, ['allow_anonymous true', 'persistence false']);
    const { port } = broker;
    const format = ['-F', '%t %x', '-t', 'esipa/#'];
    const watcher = new Program(tools.mosquitto_sub, [
      '-h',
      '127.0.0.1',
      '-p',
      `${port}`,
      '-q',
      '1',
      ...format,
    ]);
    try {
      await broker.log.line(/Sending SUBACK/);
      events = await demo('--broker', `mqtt://127.0.0.1:${port}`);
      // The broker sends in order: what comes before this has all been seen.
      const client = await connectAsync(`mqtt://127.0.0.1:${port}`);
      await client.publishAsync('esipa/end', 'end', { qos: 1 });
      await watcher.line(/^esipa\/end /);
      await client.endAsync();
    } finally {
      await watcher.stop();
      await broker.stop();
    }
    sniffed = watcher.lines.slice(0, -1).map((line) => {
      const [topic, digits] = line.split(' ');
      return { topic, bytes: unhex(digits) };
    });
  }, 60_000);

  /** What the IPA exchanged with the eIM whose topics are watched. */
  function mainEsipa(all: Record<string, unknown>[]) {
    return all.filter(({ event, eimId }) => event === 'esipa' && eimId === 'eim.example.com') as unknown as {
      direction: 'up' | 'down';
      der: string;
    }[];
  }

  it('ends well', () => {
    expect(events.at(-1)).toMatchObject({ event: 'summary', ok: true, failures: [] });
  });

  it('has the same results as with the embedded broker', async () => {
    const embedded = await demo();
    const { packages, notifications, profileSwitches } = events.at(-1)!;
    expect(embedded.at(-1)).toMatchObject({ packages, notifications, profileSwitches });
    const verified = (all: Record<string, unknown>[]) =>
      all
        .filter(({ event, what }) => event === 'eim' && (what === 'verified' || what === 'refused'))
        .map(({ who, what, detail }) => ({ who, what, results: (detail as { results?: unknown }).results }));
    expect(verified(events).length).toBeGreaterThan(8);
    expect(verified(embedded)).toEqual(verified(events));
  });

  it('a stranger sees complete DER on the right topics, nothing else', () => {
    expect(sniffed.length).toBeGreaterThan(40);
    const up = new Set([0xbf4f, 0xbf50, 0xbf4e, 0xbf3d]);
    const down = new Set([0xbf4f, 0xbf50, 0xbf4e]);
    for (const { topic, bytes } of sniffed) {
      const parsed = fromBER(bytes.slice().buffer);
      expect(parsed.result.error).toBe('');
      expect(parsed.offset).toBe(bytes.length);
      // Definite lengths in as few bytes as they need: written anew it is the same.
      expect(hex(new Uint8Array(parsed.result.toBER()))).toBe(hex(bytes));
      const { tag } = readElement(bytes);
      expect([`esipa/${EID}/eim`, `esipa/${EID}/ipa`]).toContain(topic);
      expect(topic.endsWith('/eim') ? up : down, tagName(tag)).toContain(tag);
      const schemas = topic.endsWith('/eim')
        ? [
            m.GetEimPackageRequest,
            m.ProvideEimPackageResult,
            m.TransferEimPackageResponse,
            m.HandleNotification,
          ]
        : [m.GetEimPackageResponse, m.ProvideEimPackageResultResponse, m.TransferEimPackageRequest];
      const schema = schemas.find((one) => one.tag === tag)!;
      expect(() => decode(schema as m.Schema<unknown>, bytes)).not.toThrow();
    }
  });

  it('among them BF4F, BF51, BF50 and BF53, in both directions where they have two', () => {
    const seen = new Set<string>();
    for (const { topic, bytes } of sniffed) {
      const message = readElement(bytes);
      const side = topic.slice(-3);
      seen.add(`${side} ${tagName(message.tag)}`);
      for (const child of message.children) seen.add(`${side} ${tagName(message.tag)} ${tagName(child.tag)}`);
    }
    for (const wanted of [
      'eim BF4F 5A',
      'ipa BF4F BF51',
      'ipa BF4F BF52',
      'ipa BF4F 02',
      'eim BF50 BF51',
      'eim BF50 BF52',
      'ipa BF50 BF53',
      'ipa BF4E BF51',
      'eim BF4E',
      'ipa BF4E BF53',
    ])
      expect(seen).toContain(wanted);
  });

  it('and it is what the demo says it sent and received', () => {
    const told = mainEsipa(events).map(
      ({ direction, der }) => `${direction === 'up' ? 'eim' : 'ipa'} ${der}`,
    );
    const heard = sniffed.map(({ topic, bytes }) => `${topic.slice(-3)} ${hex(bytes)}`);
    expect([...new Set(heard)].sort()).toEqual([...new Set(told)].sort());
  });
});

describeWith(['mosquitto'], 'MQTT over TLS with Mosquitto', (tools) => {
  let pki: Pki;
  let folder: string;
  let files: { ca: string; certificate: string; key: string; stranger: string };
  beforeAll(async () => {
    const eim = (eimId: string, eimFqdn: string) => ({ eimId, eimIdType: 2 as const, eimFqdn });
    // TLS looks at the wall clock.
    pki = await makePki({
      eid: EID,
      eims: [eim('eim.example.com', 'localhost'), eim('device', 'device'), eim('stranger', 'localhost')],
      now: Date.now(),
      random: seeded(1),
    });
  });

  const [BROKER, DEVICE, STRANGER] = [0, 1, 2];
  const certificate = (index: number) => pem('CERTIFICATE', pki.eims[index].certificate);
  const key = (index: number) => pem('PRIVATE KEY', pkcs8(pki.eims[index].privateKey));

  async function start(): Promise<Mosquitto> {
    folder = mkdtempSync(join(tmpdir(), 'xs-ipa-tls-'));
    open.push(() => rmSync(folder, { recursive: true }));
    const write = (name: string, text: string) => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    files = {
      ca: write('ca.pem', certificate(BROKER)),
      certificate: write('device.pem', certificate(DEVICE)),
      key: write('device-key.pem', key(DEVICE)),
      stranger: write('stranger.pem', certificate(STRANGER)),
    };
    const broker = await Mosquitto.start(
      tools.mosquitto,
      [
        'certfile @broker.pem',
        'keyfile @broker-key.pem',
        'cafile @clients.pem',
        'require_certificate true',
        'allow_anonymous false',
        'password_file @passwords',
      ],
      {
        'broker.pem': certificate(BROKER),
        'broker-key.pem': key(BROKER),
        'clients.pem': certificate(DEVICE),
        passwords: passwordLine('device', 'secret') + passwordLine('eim', 'another'),
      },
    );
    open.push(() => broker.stop());
    return broker;
  }

  function connect(port: number, changes: Record<string, string | undefined> = {}) {
    const clock = new RealClock();
    const events: IpaEvent[] = [];
    let tell: () => void = () => {};
    const link = new MqttLink({
      eimId: 'eim.example.com',
      eid: unhex(EID),
      mqtt: mqttConfiguration({
        url: `mqtts://localhost:${port}`,
        caFile: files.ca,
        certificateFile: files.certificate,
        keyFile: files.key,
        user: 'device',
        password: 'secret',
        ...changes,
      }),
      timer: clock,
      random: () => 0.5,
      observe: (event) => {
        events.push(event);
        tell();
      },
    });
    open.push(() => link.close());
    /** The first state of the link after connecting. */
    const state = async () => {
      for (;;) {
        const found = events.find((event) => event.event === 'link' && event.state !== 'connecting');
        if (found?.event === 'link') return found;
        await new Promise<void>((resolve) => {
          tell = resolve;
        });
      }
    };
    link.resume();
    return { link, state };
  }

  it('an exchange with CA, client certificate, user and password', async () => {
    const { port } = await start();
    const eim = new Eim({
      credentials: pki.eims[BROKER],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock: new RealClock(),
      random: seeded(3),
    });
    const options: MqttEimOptions = {
      eim,
      url: `mqtts://localhost:${port}`,
      username: 'eim',
      password: 'another',
      tls: { ca: certificate(BROKER), cert: certificate(DEVICE), key: key(DEVICE) },
    };
    const eimLink = new MqttEim(options);
    await eimLink.open();
    open.push(() => eimLink.close());
    const { link, state } = connect(port);
    expect((await state()).state).toBe('connected');
    const poll = new Writer(64, 128);
    writeGetEimPackageRequest(poll, unhex(EID));
    const answer = await link.exchange(poll.bytes, () => true);
    expect(decode(m.GetEimPackageResponse, answer.slice())).toBeDefined();
  });

  it.each([
    ['a wrong password', { password: 'guess' }, /not authorized|bad user/i],
    ['no user', { user: undefined, password: undefined }, /not authorized|bad user/i],
    [
      'no client certificate',
      { certificateFile: undefined, keyFile: undefined },
      /certificate|closed|reset/i,
    ],
    ['a broker that the CA does not vouch for', 'otherCa', /self.signed|certificate/i],
  ])('%s ends the connection, and the link says why', async (_what, changes, reason) => {
    const { port } = await start();
    const { link, state } = connect(port, typeof changes === 'string' ? { caFile: files.stranger } : changes);
    expect(await state()).toMatchObject({ state: 'lost', detail: expect.stringMatching(reason) });
    expect(link.connected).toBe(false);
  });
});
