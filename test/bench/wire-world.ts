import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { TlsSessionCache, type TlsSessions } from '../../hal/node/tls-sessions.js';
import { Costs } from '../../host-sim/cli/costs.js';
import { ownTls } from '../../host-sim/cli/eim-tls.js';
import { NodeIpa } from '../../host-sim/cli/ipa.js';
import { Stage } from '../../host-sim/cli/stage.js';
import { createIpad, factoryProfiles, operators, simulateModem } from '../../host-sim/cli/world.js';
import { RealClock } from '../../host-sim/clock.js';
import {
  Broker,
  CoapEim,
  CoapsDoor,
  Eim,
  MqttEim,
  type Order,
  rspClient,
  serveHttp,
} from '../../host-sim/eim/index.js';
import { makePki, type Pki, pem } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { Smdp, serveRsp } from '../../host-sim/smdp/index.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import type { LinkKind } from '../../ipa/esipa/index.js';

export const transports = ['coap', 'coaps', 'mqtt', 'mqtts', 'https', 'https-json'] as const;
export type Transport = (typeof transports)[number];

/** Where an eIM or a broker is found: in a network of its own every port is free. */
export const ports: Readonly<Record<Transport, number>> = {
  mqtt: 1883,
  mqtts: 8883,
  coap: 5683,
  coaps: 5684,
  https: 443,
  'https-json': 443,
};

/** How tshark is to read them. */
export const decodings = [
  'tcp.port==1883,mqtt',
  'tcp.port==8883,tls',
  'tls.port==8883,mqtt',
  'tcp.port==443,tls',
  'tls.port==443,http',
  'udp.port==5683,coap',
  'udp.port==5684,dtls',
  'dtls.port==5684,coap',
];

const EID = '89049032123451234512345678901235';
const NAME = 'eim.example.com';
export const PSK = { identity: EID, key: Buffer.alloc(16, 7) };
/** Profiles of the virtual eUICC. */
const [ALPHA, BETA, GAMMA] = factoryProfiles().map(({ iccid }) => iccid);
/** Bytes of the profile that is downloaded. */
const PROFILE = 12_000;

const FIVE: readonly Order[] = [
  { psmo: [{ op: 'listProfileInfo' }] },
  { psmo: [{ op: 'getRAT' }] },
  { psmo: [{ op: 'setFallbackAttribute', iccid: GAMMA }] },
  { psmo: [{ op: 'setDefaultDpAddress', address: 'smdp.example.com' }] },
  { eco: [{ op: 'listEim' }] },
];

let shared: Promise<Pki> | undefined;

function hierarchy(): Promise<Pki> {
  const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
  shared ??= makePki({ eid: EID, eims, now: Date.now(), random: seeded(7) });
  return shared;
}

/** What the eIM shows, PEM. */
export async function eimTls(): Promise<{ cert: string; key: string }> {
  const pki = await hierarchy();
  return ownTls({ credentials: pki.eims[0], pki, now: Date.now() });
}

/** An eIM on real sockets, and a device with the code of a real one. */
export class WireWorld {
  readonly #transport: Transport;
  readonly #pki: Pki;
  /** Resets of the SIM and the like take a third of their time; the network is as fast as it is. */
  readonly #clock = new RealClock(3);
  readonly #random = seeded(5);
  readonly #trace: Trace;
  readonly #closing: (() => unknown)[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'xs-ipa-wire-'));
  readonly #storage = new MemoryKeyValue();
  readonly #network = operators();
  #sessions: TlsSessions = new TlsSessionCache();
  #eim!: Eim;
  #smdp!: Smdp;
  #smdpAddress = '';
  #card!: ReturnType<typeof simulateModem>;
  #configuration!: Uint8Array;
  #stage: Stage | undefined;
  #running: Promise<void> = Promise.resolve();
  #caFile = '';

  private constructor(transport: Transport, pki: Pki) {
    this.#transport = transport;
    this.#pki = pki;
    this.#trace = new Trace(this.#clock);
    this.#closing.push(() => rmSync(this.#folder, { recursive: true }));
  }

  /** Servers are up, the device is off. */
  static async open(transport: Transport): Promise<WireWorld> {
    const world = new WireWorld(transport, await hierarchy());
    await world.#serve();
    return world;
  }

  /** Of the profile that is enabled. */
  get enabled(): string {
    return this.#stage?.enabled ?? '';
  }

  // The device ------------------------------------------------------------------------------------------------------

  /** Switches the IPA on and waits until it has polled. @param remember TLS sessions of its last life */
  async wakeUp(remember: boolean): Promise<void> {
    if (!remember) this.#sessions = new TlsSessionCache();
    const transport = this.#transport;
    const kind = linkOf(transport);
    const { modem, euicc, bearer } = this.#card;
    const secure = transport === 'mqtts';
    const url = `${secure ? 'mqtts' : 'mqtt'}://127.0.0.1:${ports[transport]}`;
    const ipad = new NodeIpa(
      createIpad({
        serial: { io: modem.Serial, baud: 0 },
        clock: this.#clock,
        random: this.#random,
        trace: this.#trace,
        storage: this.#storage,
        links: [kind],
        broker: kind === 'mqtt' ? { url, ...(secure && { caFile: this.#caFile }) } : undefined,
        https: {
          binding: transport === 'https-json' ? 'json' : 'asn1',
          routes: { [NAME]: 'https://127.0.0.1' },
        },
        coap: {
          isSecure: transport === 'coaps',
          routes: { [NAME]: `${transport}://127.0.0.1:${ports[transport]}` },
          ...(transport === 'coaps' && { psk: PSK }),
        },
        sessions: this.#sessions,
        bearer,
        initialEim: this.#configuration,
      }),
    );
    const nothing = () => ({
      ticks: 0,
      apdus: 0,
      uart: { up: 0, down: 0 },
      esipa: { up: 0, down: 0 },
      http: { up: 0, down: 0 },
    });
    this.#stage = new Stage({
      eid: EID,
      ipad,
      euicc,
      network: this.#network,
      eim: this.#eim,
      backup: this.#eim,
      ways: [],
      clock: this.#clock,
      trace: this.#trace,
      costs: new Costs(nothing),
      ciKeyId: this.#pki.euicc.ciKeyId,
      profileSize: PROFILE,
      baud: 0,
    });
    const idle = this.#stage.idle();
    this.#running = ipad.run();
    await idle;
    await this.#stage.quiet();
  }

  async sleep(): Promise<void> {
    this.#stage?.cast.ipad.stop();
    this.#stage?.abandon();
    this.#stage = undefined;
    await this.#running;
  }

  /** Nothing is waiting. */
  poll(): Promise<void> {
    return this.#present.poll(NAME);
  }

  /** Changes the operator; the result comes through the other network. */
  async enable(): Promise<void> {
    await this.#order({ psmo: [{ op: 'enable', iccid: this.enabled === ALPHA ? BETA : ALPHA }] });
  }

  /** Five packages wait for one poll, or are pushed one after the other. */
  async five(mode: 'retrieval' | 'injection' = 'retrieval'): Promise<void> {
    await this.#finish(this.queueFive(mode), mode);
  }

  /** @returns when all of them have been carried out */
  async queueFive(mode: 'retrieval' | 'injection' = 'retrieval'): Promise<void> {
    const outcomes = await Promise.all(FIVE.map((order) => this.#eim.queue(EID, order, { mode })));
    const failed = outcomes.find(({ ok }) => !ok);
    if (failed) throw new Error(`a package ended with ${JSON.stringify(failed)}`);
  }

  /** A profile through the eIM. */
  async download(): Promise<void> {
    const { matchingId } = this.#smdp.order({ iccid: '8988211000000123456', profileSize: PROFILE });
    await this.#order({ download: { activationCode: `1$${this.#smdpAddress}$${matchingId}` } });
  }

  /** Everything of this world is closed. */
  async close(): Promise<void> {
    await this.sleep();
    while (this.#closing.length > 0) await this.#closing.pop()?.();
  }

  get #present(): Stage {
    if (!this.#stage) throw new Error('the device is off');
    return this.#stage;
  }

  async #order(order: Order): Promise<void> {
    await this.#present.order(order);
  }

  async #finish(done: Promise<void>, mode: 'retrieval' | 'injection'): Promise<void> {
    const stage = this.#present;
    if (mode === 'retrieval') stage.cast.ipad.poll();
    await done;
    await stage.quiet();
  }

  // The world -------------------------------------------------------------------------------------------------------

  async #serve(): Promise<void> {
    const [clock, random, trace] = [this.#clock, this.#random, this.#trace];
    const { ciCertificates } = this.#pki;
    const [smdp] = this.#pki.smdps;
    this.#smdpAddress = smdp.address;
    this.#smdp = new Smdp({
      credentials: smdp,
      ciCertificates,
      store: new MemoryStore(),
      clock,
      random,
      observe: trace.observer('smdp'),
    });
    const rsp = await serveRsp({ server: this.#smdp, tls: smdp.tls });
    this.#closing.push(() => rsp.close());
    this.#eim = new Eim({
      credentials: this.#pki.eims[0],
      ciCertificates,
      store: new MemoryStore(),
      clock,
      random,
      observe: trace.observer('eim'),
      connect: rspClient({ routes: { [smdp.address]: rsp.url }, ciCertificates }),
    });
    this.#closing.push(() => this.#eim.close());
    this.#card = simulateModem({
      pki: this.#pki,
      store: new MemoryStore(),
      clock,
      random,
      trace,
      network: this.#network,
      profiles: factoryProfiles(smdp.address),
      baud: 0,
    });
    this.#closing.push(() => this.#card.modem.powerOff());
    await this.#listen();
    const protocols = {
      mqtt: ['eimProprietary'],
      https: ['eimRetrieveHttps'],
      coaps: ['eimRetrieveCoaps', 'eimInjectCoaps'],
    } as const;
    this.#configuration = this.#eim.eimConfiguration({
      eid: EID,
      token: true,
      euiccCiPKId: this.#pki.euicc.ciKeyId,
      protocols: protocols[linkOf(this.#transport)],
      trustedTls: this.#transport.startsWith('https') ? { certificate: ciCertificates[0] } : undefined,
    });
  }

  async #listen(): Promise<void> {
    const transport = this.#transport;
    const port = ports[transport];
    const eim = this.#eim;
    const tls = await eimTls();
    switch (transport) {
      case 'https':
      case 'https-json': {
        const server = await serveHttp({ eim, port, tls });
        this.#closing.push(() => server.close());
        break;
      }
      case 'coap':
      case 'coaps': {
        const coap = new CoapEim(transport === 'coap' ? { eim, port } : { eim, port: 0, tokenLength: 1 });
        await coap.open();
        this.#closing.push(() => coap.close());
        if (transport === 'coap') break;
        const psk = (identity: string) => (identity === PSK.identity ? PSK.key : undefined);
        const door = new CoapsDoor({ port, coapPort: coap.port, psk });
        await door.open();
        this.#closing.push(() => door.close());
        break;
      }
      case 'mqtt':
      case 'mqtts': {
        const secure = transport === 'mqtts';
        const ca = pem('CERTIFICATE', this.#pki.ciCertificates[0]);
        this.#caFile = join(this.#folder, 'ca.pem');
        writeFileSync(this.#caFile, ca);
        const broker = await new Broker({ port, ...(secure && { tls }) }).listen();
        this.#closing.push(() => broker.close());
        const link = new MqttEim({ eim, url: broker.url, ...(secure && { tls: { ca } }) });
        await link.open();
        this.#closing.push(() => link.close());
      }
    }
  }
}

function linkOf(transport: Transport): LinkKind {
  if (transport.startsWith('mqtt')) return 'mqtt';
  return transport.startsWith('https') ? 'https' : 'coaps';
}
