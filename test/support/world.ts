import type { HttpConfiguration, UdpConfiguration } from '../../hal/contracts/index.js';
import { AtModem } from '../../hal/modem/index.js';
import { sha256 } from '../../hal/node/digest.js';
import { DtlsServer, type DtlsServerSession, dtlsUdp } from '../../hal/node/dtls/index.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { hex } from '../../host-sim/asn1/index.js';
import { factoryProfiles, operators } from '../../host-sim/cli/world.js';
import { VirtualClock } from '../../host-sim/clock.js';
import {
  CoapBinding,
  Eim,
  type EimOptions,
  handleHttp,
  type Order,
  type Outcome,
  type QueueOptions,
  speakerOf,
} from '../../host-sim/eim/index.js';
import { VirtualEuicc, type VirtualEuiccOptions } from '../../host-sim/euicc/index.js';
import type { TraceEvent } from '../../host-sim/events.js';
import { HttpProblem, jsonPieces, type RspAnswer } from '../../host-sim/http/index.js';
import { type Network, SimulatedModem, type SimulatedModemOptions } from '../../host-sim/modem/index.js';
import { makePki, type Pki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { answerTo, handleJson, type RspFunction, Smdp } from '../../host-sim/smdp/index.js';
import { Smds } from '../../host-sim/smds/index.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import type { EimConfiguration } from '../../ipa/es10/index.js';
import { CoapLink } from '../../ipa/esipa/coap/index.js';
import { Asn1Binding, HttpsLink } from '../../ipa/esipa/https/index.js';
import { JsonBinding } from '../../ipa/esipa/https/json.js';
import { chooseLink, type LinkKind, type LinkTimes, protocolsOf } from '../../ipa/esipa/index.js';
import { MqttLink } from '../../ipa/esipa/mqtt/link.js';
import { Ipad } from '../../ipa/ipad.js';
import { type IpaSettings, SmdpServer } from '../../ipa/procedures/index.js';
import { LossyNetwork, type Weather } from '../ipa/esipa/coap/network.js';
import { Life } from './life.js';
import { type BrokerSettings, MemoryBroker } from './memory-broker.js';
import { MemoryHttp, type MemoryRequest, type MemoryResponse } from './memory-http.js';

export const EID = '89049032123451234512345678901235';
export const [ALPHA, BETA, GAMMA] = factoryProfiles().map(({ iccid }) => iccid);
const NAMES = ['eim.example.com', 'backup.example.com', 'third.example.com'];
/** FQDN of the SM-DP+. */
export const SMDP = 'smdp.example.com';
/** FQDN of the SM-DS. */
export const SMDS = 'smds.example.com';
/** Wide enough for any sensible story. */
const PATIENCE = 3_600_000;

let pki: Promise<Pki> | undefined;

/** One hierarchy for all tests of a file: keys cost time. */
function sharedPki(): Promise<Pki> {
  pki ??= makePki({
    eid: EID,
    eims: NAMES.map((name) => ({ eimId: name, eimIdType: 2, eimFqdn: name })),
    smdps: [{ address: SMDP, oid: '2.999.10' }],
    now: new VirtualClock().now,
    random: seeded(11),
  });
  return pki;
}

/** What the SM-DP+ answers over HTTP, JSON binding. */
function serveJson(server: Smdp | Smds, path: string, body: Uint8Array): MemoryResponse {
  const called = path.slice(path.lastIndexOf('/') + 1) as RspFunction;
  const request = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>;
  const answer = handleJson(server, called, request);
  if (!answer) return { status: 204 };
  const { large } = answer;
  const whole = large
    ? { ...answer.body, [large.name]: Buffer.from(large.bytes).toString('base64') }
    : answer.body;
  return { status: 200, body: Buffer.from(JSON.stringify(whole)) };
}

/** A store that tells before and after each save; what it throws is a card or process that dies there. */
export class WatchedStore extends MemoryStore {
  saves = 0;
  onSave: ((n: number, stage: 'before' | 'after') => void) | undefined;

  override save(bytes: Uint8Array): void {
    const n = ++this.saves;
    this.onSave?.(n, 'before');
    super.save(bytes);
    this.onSave?.(n, 'after');
  }

  copy(): Uint8Array | undefined {
    return this.load()?.slice();
  }
}

export class PowerCut extends Error {}

type Transport = 'mqtt' | 'coap' | 'https' | 'https-json';
const LINKS = { mqtt: 'mqtt', coap: 'coaps', https: 'https', 'https-json': 'https' } as const;

/** What survives everything: enough to begin a world where another one was. */
export interface Snapshot {
  card: Uint8Array | undefined;
  eims: (Uint8Array | undefined)[];
  stateChange: string | undefined;
}

export interface WorldOptions {
  personality?: SimulatedModemOptions['personality'];
  baud?: number;
  faults?: SimulatedModemOptions['faults'];
  modem?: Partial<SimulatedModemOptions>;
  card?: Partial<VirtualEuiccOptions>;
  settings?: Partial<IpaSettings>;
  times?: Partial<LinkTimes>;
  broker?: Partial<BrokerSettings>;
  /** How many eIMs there are, as many as `transports` when absent; the first one is associated unless `associated` is false. */
  eims?: number;
  eim?: Partial<EimOptions>;
  associated?: boolean;
  initialEim?: Uint8Array;
  blockSize?: number;
  messageLimit?: number;
  injectionLimit?: number;
  seed?: number;
  network?: Network;
  from?: Snapshot;
  /** The device reaches the SM-DP+ itself. */
  direct?: boolean;
  /** How the eIMs are reached; MQTT when absent. */
  transport?: Transport;
  /** How each one is reached instead, in their order; the device has a link for each. */
  transports?: readonly Transport[];
  /** Makes the HTTP client towards eIMs; absent: one without sockets. */
  http?: (world: World, life: Life) => HttpConfiguration;
  /** What happens to the datagrams of CoAP, which leads to the first eIM that speaks it. */
  weather?: Weather;
  /** CoAP over DTLS, with a pre-shared key. */
  dtls?: boolean;
  /** Keep no events: for very long runs. */
  forgetful?: boolean;
}

/** An eIM as a process of its own: its store and its session at the broker outlive it. */
export class EimHost {
  readonly name: string;
  readonly store = new WatchedStore();
  readonly clientId: string;
  readonly prefix: string;
  eim!: Eim;
  up = false;
  /** Called before the eIM sees a message and after it has answered, with CoAP for each datagram; may stop the host. */
  onMessage: ((stage: 'before' | 'after', payload: Uint8Array, way: LinkKind) => void) | undefined;
  /** Stands in for the eIM: takes the bytes and gives the answer. */
  instead: ((payload: Uint8Array) => Uint8Array | undefined) | undefined;
  readonly #world: World;
  readonly #index: number;
  readonly #speakers = new Map<number, string>();
  #coap: CoapBinding | undefined;
  #resume: () => void = () => {};

  constructor(world: World, index: number, stored: Uint8Array | undefined) {
    this.#world = world;
    this.#index = index;
    this.name = NAMES[index];
    this.prefix = index === 0 ? 'esipa' : `esipa${index}`;
    this.clientId = `eim-${index}`;
    if (stored) MemoryStore.prototype.save.call(this.store, stored);
    this.#resume = world.broker.serve(this.clientId, `${this.prefix}/+/eim`, (_topic, payload) =>
      this.#take(payload),
    );
    this.serveAt(this.name);
    this.start();
  }

  get transport(): Transport {
    return this.#world.transports[this.#index];
  }

  /** It is at this address, too, where HTTP leads there. */
  serveAt(fqdn: string): void {
    this.#world.http.serve(fqdn, (request) => this.#respond(request));
  }

  async #respond({ path, body, connection }: MemoryRequest): Promise<MemoryResponse> {
    if (!this.up) return { status: 503 };
    this.onMessage?.('before', body, 'https');
    const speaker = speakerOf(path, body);
    if (speaker !== undefined) this.#speakers.set(connection, speaker);
    let answer: RspAnswer;
    try {
      answer = await handleHttp(this.eim, path, body, this.#speakers.get(connection));
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      const { status, retryAfter } = error;
      return { status, ...(retryAfter !== undefined && { headers: { 'retry-after': String(retryAfter) } }) };
    }
    this.onMessage?.('after', body, 'https');
    if (!this.up) return { status: 503 };
    if (!answer) return { status: 204 };
    if ('asn1' in answer) return { status: 200, body: answer.asn1 };
    const [, pieces] = jsonPieces(answer.json, 1_000);
    return { status: 200, body: Buffer.concat([...pieces]) };
  }

  start(): void {
    const { pki, clock, trace, options } = this.#world;
    this.eim = new Eim({
      credentials: pki.eims[this.#index],
      ciCertificates: pki.ciCertificates,
      store: this.store,
      clock,
      random: this.#world.random,
      observe: trace.observer(`eim ${this.#index}`),
      connect: (address, request) =>
        answerTo(address === SMDS ? this.#world.smds : this.#world.smdp, request),
      ...options.eim,
    });
    this.up = true;
    if (this.transport === 'mqtt') this.eim.onInjection = (_eid, message) => this.publish(message);
    if (this.#hasCoap) this.#startCoap();
    this.#resume();
  }

  /** There is one way for datagrams. */
  get #hasCoap(): boolean {
    return this.#world.transports.indexOf('coap') === this.#index;
  }

  #startCoap(): void {
    const { clock, random, udp, options, psk, randomBytes } = this.#world;
    const from = { address: '10.0.0.7', port: 40_000 };
    const sessions: DtlsServerSession[] = [];
    const binding = new CoapBinding({
      eim: this.eim,
      clock,
      random,
      send: (datagram, to) => {
        this.onMessage?.('after', datagram, 'coaps');
        if (options.dtls) door.write(sessions[to.port], datagram);
        else udp.deliver(datagram);
      },
    });
    const door = new DtlsServer({
      psk: (identity) => (identity === psk.identity ? psk.key : undefined),
      randomBytes,
      send: (datagram) => udp.deliver(datagram),
      onOpen: (session) => sessions.push(session),
      onData: (session, data) => take(data, { address: 'session', port: sessions.indexOf(session) }),
    });
    const take: CoapBinding['take'] = (datagram, peer) => {
      this.onMessage?.('before', datagram, 'coaps');
      if (this.up) binding.take(datagram, peer);
    };
    this.#coap = binding;
    udp.server = (datagram) => {
      if (options.dtls) door.take(datagram, from);
      else take(datagram, from);
    };
  }

  stop(): void {
    this.up = false;
    this.#coap?.close();
    if (this.#hasCoap) this.#world.udp.server = undefined;
    this.eim.close();
  }

  publish(message: Uint8Array): void {
    if (this.up) this.#world.broker.publish(`${this.prefix}/${EID}/ipa`, message);
  }

  #take(payload: Uint8Array): boolean {
    if (!this.up) return false;
    this.onMessage?.('before', payload, 'mqtt');
    if (!this.up) return false;
    const answer = this.instead
      ? this.instead(payload)
      : this.eim.handle(payload, { eid: EID, link: 'mqtt' });
    this.onMessage?.('after', payload, 'mqtt');
    if (!this.up) return false;
    if (answer) this.publish(answer);
    return true;
  }

  configuration(token = true): Uint8Array {
    const { transport } = this;
    const { pki } = this.#world;
    const https = transport === 'mqtt' ? undefined : (['eimRetrieveHttps'] as const);
    const protocols = transport === 'coap' ? (['eimRetrieveCoaps', 'eimInjectCoaps'] as const) : https;
    return this.eim.eimConfiguration({ eid: EID, token, euiccCiPKId: pki.euicc.ciKeyId, protocols });
  }

  order(order: Order, options: QueueOptions = {}): Promise<Outcome> {
    return this.eim.queue(EID, order, options);
  }
}

/** A whole device and everything around it, on one virtual clock and without a socket. */
export class World {
  readonly options: WorldOptions;
  /** Of each eIM. */
  readonly transports: readonly Transport[];
  readonly pki: Pki;
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly trace: Trace;
  readonly events: TraceEvent[] = [];
  readonly broker: MemoryBroker;
  readonly network: Network;
  /** Between the device and the first eIM that speaks CoAP. */
  readonly udp: LossyNetwork;
  readonly psk = { identity: EID, key: Buffer.alloc(16, 7) };
  readonly randomBytes = (count: number) =>
    Buffer.from(Array.from({ length: count }, () => Math.floor(this.random() * 256)));
  #secured: UdpConfiguration | undefined;
  readonly cardStore = new WatchedStore();
  readonly storage = new MemoryKeyValue();
  readonly eims: EimHost[];
  readonly http = new MemoryHttp();
  readonly smdpStore = new WatchedStore();
  readonly smdp: Smdp;
  readonly smds: Smds;
  euicc!: VirtualEuicc;
  modem!: SimulatedModem;
  life!: Life;
  ipad!: Ipad;
  /** Settled when the present IPA's run() is. */
  running: Promise<void> = Promise.resolve();
  /** What run() threw. */
  failure: unknown;
  /** Called before each exchange with the card, the modem's own included. */
  beforeApdu: ((n: number, apdu: Uint8Array) => 'ok' | 'cutBefore' | 'cutAfter') | undefined;
  /** The card's store threw. */
  onCardFailed: (() => void) | undefined;
  /** ES10 and channel commands of the IPA, as it means them. */
  apdus = 0;

  #provided: Uint8Array | undefined;

  /** The SM-DP+ over HTTP. */
  readonly serveSmdp = ({ path, body }: MemoryRequest): MemoryResponse => serveJson(this.smdp, path, body);

  private constructor(options: WorldOptions, pki: Pki) {
    const { transport = 'mqtt', transports = Array<Transport>(options.eims ?? 1).fill(transport) } = options;
    this.options = options;
    this.transports = transports;
    this.pki = pki;
    this.random = seeded(options.seed ?? 1);
    this.trace = new Trace(this.clock);
    this.trace.subscribe((event) => {
      if (event.event === 'apdu') this.apdus++;
      if (!options.forgetful) this.events.push(event);
    });
    this.broker = new MemoryBroker({ clock: this.clock, random: this.random, ...options.broker });
    this.broker.reachable = () =>
      this.options.settings?.networkThroughModem === false || this.modem.registered;
    this.http.reachable = this.broker.reachable;
    this.udp = new LossyNetwork(this.clock, options.weather, options.seed);
    this.udp.reachable = this.broker.reachable;
    this.smdp = new Smdp({
      credentials: pki.smdps[0],
      ciCertificates: pki.ciCertificates,
      store: this.smdpStore,
      clock: this.clock,
      random: this.random,
      observe: this.trace.observer('smdp'),
    });
    this.http.serve(SMDP, this.serveSmdp);
    this.smds = new Smds({
      credentials: pki.smdss[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock: this.clock,
      random: this.random,
      observe: this.trace.observer('smds'),
    });
    this.http.serve(SMDS, ({ path, body }) => serveJson(this.smds, path, body));
    this.network = options.network ?? operators();
    const { from } = options;
    if (from?.card) MemoryStore.prototype.save.call(this.cardStore, from.card);
    if (from?.stateChange) this.storage.write('stateChange', from.stateChange);
    this.eims = transports.map((_transport, index) => new EimHost(this, index, from?.eims[index]));
    this.insertCard();
    this.modem = new SimulatedModem({
      card: this.euicc,
      clock: this.clock,
      random: this.random,
      network: this.network,
      personality: options.personality,
      baud: options.baud ?? 0,
      faults: options.faults,
      observe: this.trace.observer('modem'),
      beforeApdu: (n, apdu) => this.beforeApdu?.(n, apdu) ?? 'ok',
      cardFailed: (error) => {
        if (!(error instanceof PowerCut)) throw error;
        this.onCardFailed?.();
      },
      ...options.modem,
    });
    this.modem.onRegistration((registered) => {
      if (!registered && this.options.settings?.networkThroughModem !== false) this.broker.cut();
    });
  }

  /** Switched on; the IPA does not run yet. */
  static async make(options: WorldOptions = {}): Promise<World> {
    return new World(options, await sharedPki());
  }

  /** Switched on, associated, first poll done. */
  static async idle(options: WorldOptions = {}): Promise<World> {
    const world = await World.make(options);
    world.startIpa();
    await world.untilState('idle');
    return world;
  }

  /** As idle(), with all eIMs associated: the first one adds the others. */
  static async associated(options: WorldOptions): Promise<World> {
    const world = await World.idle(options);
    for (const host of world.eims.slice(1)) {
      const added = await world.order({ eco: [{ op: 'addEim', eim: hex(host.configuration()) }] });
      if (added.outcome === 'verified') host.eim.setToken(EID, added.results[0].associationToken);
      const isReady = () => host.eim.devices()[0]?.onboarded && world.ipad.state === 'idle';
      await world.until(isReady, `${host.name} to be served`);
    }
    return world;
  }

  /** The card is remade from its store, as after a loss of power. */
  insertCard(): void {
    this.euicc = new VirtualEuicc({
      credentials: this.pki.euicc,
      ciCertificates: this.pki.ciCertificates,
      store: this.cardStore,
      clock: this.clock,
      random: this.random,
      observe: this.trace.observer('euicc'),
      profiles: factoryProfiles(),
      defaultDpAddress: 'smdp.alpha.example',
      rootDsAddress: 'lpa.ds.example',
      ...this.options.card,
    });
  }

  get eim(): EimHost {
    return this.eims[0];
  }

  startIpa(): void {
    const { clock, trace, options } = this;
    const life = new Life(clock);
    this.life = life;
    const observe = trace.observer('ipa');
    const modem = new AtModem({
      serial: { io: life.serial(this.modem.Serial), baud: options.baud ?? 0 },
      timer: life.timer,
      time: life.time,
      observe,
    });
    const provided =
      options.associated === false || options.from !== undefined ? undefined : this.#configuration();
    const initialEim = options.initialEim ?? provided;
    this.ipad = new Ipad({
      modem,
      platform: {
        timer: life.timer,
        time: life.time,
        random: this.random,
        storage: life.storage(this.storage),
        sha256,
      },
      initialEim,
      blockSize: options.blockSize,
      connectSmdp: options.direct
        ? (address, isSmds) => new SmdpServer(address, { io: this.http.clientClass(life) }, isSmds)
        : undefined,
      observe: (event) => {
        if (life.alive) observe(event);
      },
      settings: { supportedProtocols: protocolsOf(this.links), ...options.settings },
      createLink: (eim, eid) => {
        const host = this.eims.find(({ name }) => name === eim.eimId);
        const kind = chooseLink(eim, this.links);
        if (!host || !kind) return undefined;
        if (kind === 'https') return this.#httpsLink(eim, life, host.transport);
        if (kind === 'coaps') return this.#coapLink(eim, life);
        return new MqttLink({
          eimId: eim.eimId,
          eid,
          mqtt: { io: this.broker.clientClass(life), host: 'broker.example' },
          timer: life.timer,
          random: this.random,
          times: { answer: 30_000, attempts: 3, backOff: 1_000, backOffLimit: 300_000, ...options.times },
          clientId: `{eid}-${host.prefix}`,
          topics: { toEim: `${host.prefix}/{eid}/eim`, toIpa: `${host.prefix}/{eid}/ipa` },
          messageLimit: options.messageLimit,
          injectionLimit: options.injectionLimit,
          observe: (event) => {
            if (life.alive) observe(event);
          },
        });
      },
    });
    this.running = this.ipad.run().catch((error: unknown) => {
      if (life.alive) this.failure = error;
    });
  }

  get links(): LinkKind[] {
    return [...new Set(this.transports.map((transport) => LINKS[transport]))];
  }

  /** Its sessions outlive the IPA. */
  #dtls(): UdpConfiguration {
    const { clock: timer, psk, randomBytes } = this;
    this.#secured ??= dtlsUdp({ udp: { io: this.udp.io }, peer: psk, timer, randomBytes });
    return this.#secured;
  }

  #coapLink({ eimId }: EimConfiguration, life: Life): CoapLink {
    const observe = this.trace.observer('ipa');
    return new CoapLink({
      eimId,
      udp: life.datagrams(this.options.dtls ? this.#dtls() : { io: this.udp.io }),
      host: '10.0.0.1',
      timer: life.timer,
      random: this.random,
      messageLimit: this.options.messageLimit,
      observe: (event) => {
        if (life.alive) observe(event);
      },
    });
  }

  #httpsLink({ eimId, eimFqdn = '' }: EimConfiguration, life: Life, transport: Transport): HttpsLink {
    const { times, messageLimit } = this.options;
    const observe = this.trace.observer('ipa');
    return new HttpsLink({
      eimId,
      http: { ...(this.options.http?.(this, life) ?? { io: this.http.clientClass(life) }), host: eimFqdn },
      binding: transport === 'https-json' ? new JsonBinding() : new Asn1Binding(),
      timer: life.timer,
      random: this.random,
      times: { answer: 30_000, attempts: 3, backOff: 1_000, backOffLimit: 300_000, ...times },
      messageLimit,
      observe: (event) => {
        if (life.alive) observe(event);
      },
    });
  }

  /** The same at every start: it tells the eIM that the association begins anew. */
  #configuration(): Uint8Array {
    this.#provided ??= this.eim.configuration();
    return this.#provided;
  }

  /** Only the IPA dies; modem and card know nothing of it. */
  killIpa(): void {
    this.life.kill();
  }

  /** The whole device loses power at once. */
  powerCut(): void {
    this.life.kill();
    this.#secured = undefined;
    this.modem.powerOff();
  }

  /** Power returns: a card from its store, the modem, a new IPA. */
  powerOn(): void {
    this.insertCard();
    this.modem.powerOn(this.euicc);
    this.startIpa();
  }

  snapshot(): Snapshot {
    return {
      card: this.cardStore.copy(),
      eims: this.eims.map(({ store }) => store.copy()),
      stateChange: this.storage.read('stateChange'),
    };
  }

  // --- time ---

  /** Moves time from timer to timer until `done`. @throws with the last events when it does not come */
  async until(done: () => boolean, what: string, limit = PATIENCE): Promise<void> {
    const end = this.clock.ticks + limit;
    for (;;) {
      await turn();
      if (this.failure) throw this.failure;
      if (done()) return;
      if (this.clock.ticks > end || !this.clock.step())
        throw new Error(`${what}: did not happen within ${limit} ms.\n${this.last()}`);
    }
  }

  untilState(state: string): Promise<void> {
    return this.until(() => this.ipad.state === state, `state ${state}`);
  }

  /** Lets `milliseconds` pass. */
  async pass(milliseconds: number): Promise<void> {
    let over = false;
    this.clock.set(() => {
      over = true;
    }, milliseconds);
    await this.until(() => over, `${milliseconds} ms`, milliseconds + 1);
  }

  async wait<T>(promise: Promise<T>, what = 'a promise', limit = PATIENCE): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.until(() => settled, what, limit);
    return promise;
  }

  /** Queues, polls, and waits for the outcome and for the IPA to be idle again. */
  async order(order: Order, options: QueueOptions & { by?: number } = {}): Promise<Outcome> {
    const outcome = this.eims[options.by ?? 0].order(order, options);
    if (options.mode !== 'injection') this.ipad.poll();
    const result = await this.wait(outcome, JSON.stringify(order));
    await this.untilState('idle');
    return result;
  }

  /** Polls and waits until everything is done. */
  async poll(): Promise<void> {
    const before = this.count('poll');
    this.ipad.poll();
    await this.until(() => this.count('poll') > before && this.ipad.state === 'idle', 'a poll');
  }

  async stop(): Promise<void> {
    this.ipad.stop();
    await this.wait(this.running, 'run() to end');
    this.modem.powerOff();
    for (const host of this.eims) host.stop();
  }

  // --- what happened ---

  /** How often the eIM or card reported `what`. */
  count(what: string, since = 0): number {
    let found = 0;
    for (let i = since; i < this.events.length; i++) {
      const event = this.events[i];
      if ((event.event === 'eim' || event.event === 'card') && event.what === what) found++;
    }
    return found;
  }

  of<E extends TraceEvent['event']>(event: E, since = 0): Extract<TraceEvent, { event: E }>[] {
    return this.events.slice(since).filter((one) => one.event === event) as Extract<
      TraceEvent,
      { event: E }
    >[];
  }

  get enabled(): string | undefined {
    const profile = this.euicc.profiles.find(({ enabled }) => enabled);
    if (!profile) return undefined;
    return Buffer.from(profile.iccid.map((byte) => ((byte & 15) << 4) | (byte >> 4)))
      .toString('hex')
      .replace(/f+$/, '');
  }

  /** First tags of the messages a device has sent, in hex. */
  sent(since = 0): string[] {
    return this.of('esipa', since)
      .filter(({ direction }) => direction === 'up')
      .map(({ tag }) => tag.toString(16));
  }

  last(count = 40): string {
    return this.events
      .filter(({ event }) => event !== 'at')
      .slice(-count)
      .map((event) => {
        const shown = JSON.stringify(event, (_key, value: unknown) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('hex').slice(0, 80) : value,
        );
        return shown.slice(0, 300);
      })
      .join('\n');
  }
}

/** Promise jobs finish; nothing here waits for real input or output. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
