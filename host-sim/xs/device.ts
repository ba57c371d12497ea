import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TraceEvent } from '../events.js';
import type { Bearer, StreamTarget } from '../modem/bearer.js';
import { listenTcp, type SimulatedModem } from '../modem/index.js';
import type { Happening } from '../trace/index.js';
import { ConsoleDecoder } from './decode.js';
import type { HostResult, RunningHost, StartHost } from './host.js';
import { relay } from './relay.js';
import { ConsoleCommand, type DeviceConfig } from './wire.js';

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
  broker: StreamTarget & { user?: string; password?: string };
  observe: (event: Happening) => void;
  prefixes?: Readonly<Record<string, string>>;
  baud: number;
  seed: number;
  maxResponse?: number;
  slowness: number;
  heap?: number;
  stack?: number;
}

/** The device is beyond restarting. */
export class DeviceFailed extends Error {
  override readonly name = 'DeviceFailed';
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
  #figures: Omit<XsFigures, 'retries' | 'restarts'> | undefined;
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
    return this.#figures && { ...this.#figures, retries: this.#retries, restarts: this.#restarts };
  }

  poll(): void {
    this.#command(ConsoleCommand.poll);
  }

  associate(initialEim: Uint8Array): void {
    this.#command(ConsoleCommand.associate, initialEim);
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
    const { modem, bearer, broker, prefixes = {}, baud, maxResponse } = this.#options;
    const address = '127.0.0.1';
    const serial = await listenTcp(modem, { host: address, port: 0 });
    this.#closing.push(() => serial.close());
    const network = await relay(bearer, broker);
    this.#closing.push(() => network.close());
    await new Promise<void>((resolve, reject) => {
      this.#console.once('error', reject);
      this.#console.listen(0, address, resolve);
    });
    this.#closing.push(() => this.#console.close());
    this.#ports = { 1: `tcp:${address}:${serial.port}` };
    this.#config = {
      console: { address, port: (this.#console.address() as AddressInfo).port },
      broker: { address, port: network.port, user: broker.user, password: broker.password },
      prefixes,
      baud,
      maxResponse,
    };
  }

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
    });
    this.#host = host;
    this.#ended = host.ended.then((result) => this.#over(result));
  }

  async #over({ code, complaints, figures }: HostResult): Promise<void> {
    if (figures) this.#add(figures);
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

  #add(figures: NonNullable<HostResult['figures']>): void {
    const { version, slotBytes, bytesPeak, slotsPeak, chunksPeak, stackPeak, serial } = figures;
    const before = this.#figures;
    this.#figures = {
      version,
      slotBytes,
      peakHeap: Math.max(before?.peakHeap ?? 0, bytesPeak),
      peakSlots: Math.max(before?.peakSlots ?? 0, slotsPeak),
      peakChunks: Math.max(before?.peakChunks ?? 0, chunksPeak),
      peakStack: Math.max(before?.peakStack ?? 0, stackPeak),
      serialLost: (before?.serialLost ?? 0) + serial.lost,
    };
  }

  async #close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    rmSync(this.#storage, { recursive: true, force: true });
  }
}
