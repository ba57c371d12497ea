import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { XsIpaError } from '../../hal/contracts/index.js';
import { hex } from '../asn1/index.js';
import type { TraceEvent } from '../events.js';
import type { Bearer } from '../modem/bearer.js';
import { listenTcp, type SimulatedModem } from '../modem/index.js';
import type { Happening } from '../trace/index.js';
import { ConsoleDecoder } from './decode.js';
import type { HostFigures, HostResult, RunningHost, StartHost } from './host.js';
import { relay } from './relay.js';
import { openWay, type XsWay } from './way.js';
import {
  ConsoleCommand,
  DEVICE_OPERATIONS,
  type DeviceConfig,
  type DeviceOperation,
  type DeviceWay,
} from './wire.js';

type IpaState = Extract<TraceEvent, { event: 'state'; from: unknown }>['state'];

/** Bytes of the ESP32-C3's heap. */
const HEAP = 94_208;
/** Slots of the ESP32-C3's stack. */
const STACK = 384;
/** Of a restart after the engine's abort, in milliseconds. */
const RESTART_TIME = 500;
/** More than that are no accident. */
const MOST_RESTARTS = 3;
/** How long an orderly end may take, in milliseconds. */
const STOP_TIME = 5_000;
/** Aborts of the engine. */
const ABORTS: Readonly<Record<number, string>> = {
  11: 'its memory was full',
  12: 'its stack overflowed',
  15: 'an exception was not handled',
  18: 'a rejection was not handled',
};

export interface XsDeviceOptions {
  start: StartHost;
  modem: SimulatedModem;
  bearer: Bearer;
  /** By eimId, one for each that the device is to serve. */
  ways: Readonly<Record<string, XsWay>>;
  observe: (event: Happening) => void;
  baud: number;
  seed: number;
  maxResponse?: number;
  slowness: number;
  /** Replaces single settings of the IPA. */
  settings?: DeviceConfig['settings'];
  /** Where the SM-DP+ is. `roots`: CA certificates, DER, that are trusted for its TLS; plain HTTP without them. */
  smdp?: { host: string; port: number; roots?: readonly Uint8Array[] };
  heap?: number;
  stack?: number;
}

/** The device is beyond restarting. */
export class DeviceFailed extends Error {
  override readonly name = 'DeviceFailed';
}

/** What a section took. */
export interface Section {
  /** The most, bytes, garbage included. */
  heap: number;
  /** What is alive at its end, bytes. */
  kept: number;
  /** The most, slots. */
  stack: number;
}

/** What a run took of the device, its restarts included. */
export interface XsFigures {
  version: string;
  slotBytes: number;
  /** Bytes; garbage is in it. */
  peakHeap: number;
  peakSlots: number;
  peakChunks: number;
  /** Slots. */
  peakStack: number;
  serialLost: number;
  /** Failures after which the IPA made another attempt. */
  retries: number;
  restarts: number;
}

/**
 * The IPA on the XS engine, in a process with a device's memory: its modem behind a serial port that loses bytes, its
 * network through that modem, its events over a console. When the engine aborts, the device starts again.
 */
export class XsDevice {
  /** Rejects when the device is beyond restarting. */
  readonly failed: Promise<never>;
  readonly #options: XsDeviceOptions;
  readonly #storage = mkdtempSync(join(tmpdir(), 'xs-ipa-device-'));
  readonly #console: Server;
  readonly #closing: (() => unknown)[] = [];
  #config: DeviceConfig | undefined;
  #ports: Record<number, string> = {};
  #fail: (error: Error) => void = () => {};
  #host: RunningHost | undefined;
  #socket: Socket | undefined;
  #state: IpaState = 'starting';
  #stopping = false;
  #ended: Promise<void> = Promise.resolve();
  #figures: Omit<XsFigures, 'serialLost' | 'retries' | 'restarts'> | undefined;
  #serialLost = 0;
  #marks = 0;
  readonly #marked = new Map<string, (section: Section | undefined) => void>();
  readonly #operations: { resolve: (result: number) => void; reject: (error: Error) => void }[] = [];
  #restarts = 0;
  #retries = 0;
  /** Why the device started again, each time; and what else must not have been. */
  readonly troubles: string[] = [];

  private constructor(options: XsDeviceOptions) {
    this.#options = options;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
    this.#console = createServer({ noDelay: true }, (socket) => this.#attach(socket));
  }

  /** Switches it on. @throws NoXsHost */
  static async boot(options: XsDeviceOptions): Promise<XsDevice> {
    const device = new XsDevice(options);
    try {
      await device.#listen();
      await device.#start();
    } catch (error) {
      await device.#close();
      throw error;
    }
    return device;
  }

  get state(): IpaState {
    return this.#state;
  }

  /** Of the whole run, once it has ended. */
  get figures(): XsFigures | undefined {
    const serialLost = this.#serialLost;
    return (
      this.#figures && { ...this.#figures, serialLost, retries: this.#retries, restarts: this.#restarts }
    );
  }

  poll(): void {
    this.#command(ConsoleCommand.poll);
  }

  associate(initialEim: Uint8Array): void {
    this.#command(ConsoleCommand.associate, initialEim);
  }

  /** @returns what the eUICC gives, 0 when it was done. @throws DeviceFailed when the device starts again meanwhile */
  perform(operation: DeviceOperation): Promise<number> {
    const options = operation.op === 'resetMemory' ? operation.options : 0;
    return new Promise((resolve, reject) => {
      this.#operations.push({ resolve, reject });
      this.#command(ConsoleCommand.operate, Uint8Array.of(DEVICE_OPERATIONS.indexOf(operation.op), options));
    });
  }

  /** Ends a section. @returns undefined when the device has stopped */
  mark(): Promise<Section | undefined> {
    const host = this.#host;
    if (!host || this.#stopping) return Promise.resolve(undefined);
    const label = `step${++this.#marks}`;
    return new Promise((resolve) => {
      this.#marked.set(label, resolve);
      host.command(`mark ${label}`);
    });
  }

  /** Uses up the device's memory. */
  exhaust(): void {
    this.#command(ConsoleCommand.exhaust);
  }

  /** Resolves when it has ended; it runs since boot(). */
  async run(): Promise<void> {
    await this.#ended;
    await this.#close();
  }

  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#command(ConsoleCommand.stop);
    const timer = setTimeout(() => {
      this.troubles.push('the device did not stop in time');
      this.#host?.kill();
    }, STOP_TIME);
    void this.#ended.then(() => clearTimeout(timer));
  }

  async #listen(): Promise<void> {
    const { modem, bearer, baud, maxResponse, settings, smdp } = this.#options;
    const address = '127.0.0.1';
    const serial = await listenTcp(modem, { host: address, port: 0 });
    this.#closing.push(() => serial.close());
    const ways: Record<string, DeviceWay> = {};
    for (const [eimId, options] of Object.entries(this.#options.ways)) {
      const { way, relay } = await openWay(bearer, options, this.#refused);
      this.#closing.push(() => relay.close());
      ways[eimId] = way;
    }
    const toSmdp = smdp && (await relay(bearer, smdp, smdp.roots && { onRefused: this.#refused }));
    this.#closing.push(() => toSmdp?.close());
    await new Promise<void>((resolve, reject) => {
      this.#console.once('error', reject);
      this.#console.listen(0, address, resolve);
    });
    this.#closing.push(() => this.#console.close());
    this.#ports = { 1: `tcp:${address}:${serial.port}` };
    this.#config = {
      console: { address, port: (this.#console.address() as AddressInfo).port },
      ways,
      baud,
      maxResponse,
      settings,
      smdp: toSmdp && { address, port: toSmdp.port, roots: smdp?.roots?.map((der) => hex(der)) },
    };
  }

  /** Its TLS or DTLS left a server that is not the right one. */
  readonly #refused = ({ code, message }: XsIpaError): void => {
    this.#options.observe({ event: 'failure', where: 'link', code, detail: message });
  };

  async #start(): Promise<void> {
    const { start, seed, slowness, heap = HEAP, stack = STACK } = this.#options;
    if (!this.#config) return;
    const host = await start({
      entry: 'test/xs/device/demo.ts',
      config: this.#config,
      ports: this.#ports,
      heap,
      stack,
      slowness,
      seed: seed + this.#restarts + 1,
      storage: this.#storage,
      control: true,
      onFigures: (figures) => this.#add(figures),
    });
    this.#host = host;
    this.#ended = host.ended.then((result) => this.#over(result));
  }

  async #over({ code, complaints, figures }: HostResult): Promise<void> {
    this.#serialLost += figures?.serial.lost ?? 0;
    for (const resolve of this.#marked.values()) resolve(undefined);
    this.#marked.clear();
    for (const { reject } of this.#operations.splice(0)) reject(new DeviceFailed('the device stopped'));
    this.#socket = undefined;
    if (code === 0 && this.#stopping) return;
    const why = ABORTS[code ?? 0] ?? (code === null ? 'it was killed' : `it ended with ${code}`);
    const trouble = `the device stopped: ${why}${complaints ? `\n${complaints.trimEnd()}` : ''}`;
    this.troubles.push(trouble);
    if (this.#stopping) return;
    if (code !== 11 || this.#restarts === MOST_RESTARTS) {
      this.#fail(new DeviceFailed(trouble));
      return;
    }
    this.#restarts++;
    this.#enter('starting');
    await new Promise((resolve) => setTimeout(resolve, RESTART_TIME));
    await this.#start();
    await this.#ended;
  }

  #enter(state: IpaState): void {
    const from = this.#state;
    this.#state = state;
    this.#options.observe({ event: 'state', state, from });
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    const decoder = new ConsoleDecoder((told) => {
      if (told.event === 'unheard') {
        this.troubles.push(`${told.count} events did not fit through the device's console`);
        return;
      }
      if (told.event === 'operated') {
        this.#operations.shift()?.resolve(told.result as number);
        return;
      }
      if (told.event === 'state') this.#state = told.state as IpaState;
      if (told.event === 'failure' && told.retryIn !== undefined) this.#retries++;
      this.#options.observe(told);
      // It has nothing more to say and waits to be switched off.
      if (told.event === 'state' && told.state === 'stopped') socket.end();
    });
    socket.on('data', (bytes) => decoder.push(bytes));
    socket.on('error', () => socket.destroy());
    this.#closing.push(() => socket.destroy());
  }

  #command(command: number, data: Uint8Array = new Uint8Array(0)): void {
    this.#socket?.write(Uint8Array.from([command, data.length >> 8, data.length & 0xff, ...data]));
  }

  #add(figures: HostFigures): void {
    const { label, version, slotBytes, bytes, bytesPeak, slotsPeak, chunksPeak, stackPeak } = figures;
    const before = this.#figures;
    const isHigher = bytesPeak > (before?.peakHeap ?? 0);
    this.#figures = {
      version,
      slotBytes,
      peakHeap: isHigher ? bytesPeak : before!.peakHeap,
      peakSlots: isHigher ? slotsPeak : before!.peakSlots,
      peakChunks: isHigher ? chunksPeak : before!.peakChunks,
      peakStack: Math.max(before?.peakStack ?? 0, stackPeak),
    };
    this.#marked.get(label)?.({ heap: bytesPeak, kept: bytes, stack: stackPeak });
    this.#marked.delete(label);
  }

  async #close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    rmSync(this.#storage, { recursive: true, force: true });
  }
}
