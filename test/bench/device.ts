import { hex } from '../../host-sim/asn1/index.js';
import type { Order } from '../../host-sim/eim/index.js';
import type { Census, Figures, HostResult, XsHost } from '../xs/run.js';
import { EID, SMDP, type XsWorld } from '../xs/world.js';
import type { Actions, Scenario } from './scenarios.js';

/** Of the boards that firmware/ knows, with the heap and the stack of Moddable's ESP32-C3. */
export const BOARD = { baud: 115_200, maxResponse: 48, blockSize: 255 };

/** Modem and network are so much faster than real ones: what the device does meanwhile is waiting. */
export const SPEED = 10;
/** Nothing takes longer. */
const PATIENCE = 60_000;
/** Of the profile that is downloaded. */
const ICCID = '8988211000000123456';
/** Acknowledgements of MQTT are on their way for so long, at most. */
const SETTLE = 100;
/** When a device collects at every allocation, so that its peaks are what is alive. Slow. */
export type Live = 'never' | 'scenario' | 'always';
/** Polls at both ends of a long scenario of which the peaks are taken. */
const SAMPLE = 20;

/** A scenario did not go as it must. */
export class BenchFailed extends Error {
  override readonly name = 'BenchFailed';
}

/** The device that is measured, from outside. */
export class Device {
  readonly marks: Record<string, Figures> = {};
  readonly #live: Live;
  #host!: XsHost;
  #over: HostResult | undefined;
  #state = '';
  #idles = 0;
  #failure = '';
  readonly #census: Record<string, Census> = {};
  readonly #watchers = new Set<() => void>();

  private constructor(live: Live) {
    this.#live = live;
  }

  static async boot(
    world: XsWorld,
    live: Live,
    { baud = BOARD.baud, direct }: Pick<Scenario, 'baud' | 'direct'>,
    board?: 'rv32',
  ): Promise<Device> {
    const device = new Device(live);
    const told = () => {
      for (const watcher of [...device.#watchers]) watcher();
    };
    device.#host = await world.boot(
      {
        initialEim: hex(world.initialEim),
        networkThroughModem: true,
        commanded: true,
        ...BOARD,
        baud,
        direct,
      },
      {
        board,
        control: live === 'never' ? true : 'live',
        livePeaks: live === 'always',
        onLine: (line) => {
          if (line.startsWith('failure')) device.#failure = line;
          device.#state = line;
          if (line === 'idle') device.#idles++;
          told();
        },
        onFigures: (figures) => {
          device.marks[figures.label] = figures;
          told();
        },
        onCensus: (census) => {
          device.#census[census.label] = census;
          told();
        },
      },
    );
    void device.#host.ended.then((result) => {
      device.#over = result;
      told();
    });
    return device;
  }

  async idle(): Promise<void> {
    await this.#until('the device is idle', () => this.#state === 'idle');
  }

  async mark(label: string): Promise<Figures> {
    delete this.marks[label];
    this.#host.command(`mark ${label}`);
    await this.#until(`the figures of ${label}`, () => this.marks[label] !== undefined);
    return this.marks[label];
  }

  async census(label: string): Promise<Census> {
    this.#host.command(`census ${label}`);
    await this.#until(`the census of ${label}`, () => this.#census[label] !== undefined);
    return this.#census[label];
  }

  /** One set of figures with the highest peaks of several sections. */
  peaks(labels: readonly string[], last: Figures): Figures {
    const all = [...labels.map((label) => this.marks[label]).filter(Boolean), last];
    const most = (key: 'bytesPeak' | 'slotsPeak' | 'chunksPeak' | 'stackPeak') =>
      Math.max(...all.map((figures) => figures[key]));
    return {
      ...last,
      bytesPeak: most('bytesPeak'),
      slotsPeak: most('slotsPeak'),
      chunksPeak: most('chunksPeak'),
      stackPeak: most('stackPeak'),
    };
  }

  /** @returns figures whose peaks are of the scenario */
  async run(scenario: Scenario, world: XsWorld): Promise<Figures> {
    const sections: string[] = [];
    const polls = async (count: number) => {
      const idles = this.#idles;
      this.#host.command(`call ${count}`);
      await this.#until(`${count} polls`, () => this.#idles >= idles + count, PATIENCE + 50 * count);
    };
    const execute = async (list: readonly Order[], patience = PATIENCE) => {
      const outcomes = list.map((order) =>
        world.eim.queue(EID, order, { timeoutMilliseconds: patience * SPEED }),
      );
      this.#host.command('call 1');
      for (const [index, outcome] of (await this.#orEnd(Promise.all(outcomes))).entries()) {
        if (!outcome.ok)
          throw new BenchFailed(
            `${scenario.name}: ${JSON.stringify(list[index])} ended with ${JSON.stringify(outcome)}`,
          );
      }
      const { euicc } = world;
      await this.#until(
        'everything is acknowledged',
        () => this.#state === 'idle' && euicc.results.length === 0 && euicc.notifications.length === 0,
      );
    };
    const actions: Actions = {
      orders: (...list) => execute(list),
      download: async (profileSize) => {
        const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize });
        const download = { activationCode: `1$${SMDP}$${matchingId}` };
        await execute([{ download }], PATIENCE + profileSize);
        await this.#until('the SM-DP+ knows', () => world.smdp.orders()[0].state === 'installed');
      },
      rest: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      poll: async (count = 1) => {
        // Collecting at every allocation takes its time: for many polls at their beginning and at their end only.
        if (this.#live === 'never' || count <= 2 * SAMPLE) return polls(count);
        await polls(SAMPLE);
        await this.mark('first polls');
        sections.push('first polls');
        this.live(false);
        await polls(count - 2 * SAMPLE);
        this.live(true);
        await this.mark('most polls');
        await polls(SAMPLE);
      },
    };
    await scenario.run(actions);
    await this.settle();
    return this.peaks(sections, await this.mark('after'));
  }

  /** Collects at every allocation from now on, or no more. */
  live(on: boolean): void {
    this.#host.command(`live ${on ? 1 : 0}`);
  }

  async settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE));
  }

  async end(): Promise<void> {
    this.#host.command('exit');
    const { code, complaints } = await this.#host.ended;
    if (code !== 0 || complaints)
      throw new BenchFailed(`the device ended with ${code}: ${complaints.trimEnd()}`);
  }

  /** @throws BenchFailed when the device does not outlive it */
  #orEnd<T>(promise: Promise<T>): Promise<T> {
    const ended = this.#host.ended.then(() => this.#check() as never);
    ended.catch(() => {});
    return Promise.race([promise, ended]);
  }

  #check(): void {
    const over = this.#over;
    if (over) throw new BenchFailed(`the device ended with ${over.code}: ${over.complaints.trimEnd()}`);
    if (this.#failure) throw new BenchFailed(`the device reports a ${this.#failure}`);
  }

  #until(what: string, fits: () => boolean, patience = PATIENCE): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher = () => {
        try {
          if (fits()) return end(resolve);
          this.#check();
        } catch (error) {
          end(() => reject(error));
        }
      };
      const end = (then: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        then();
      };
      const timer = setTimeout(
        () => end(() => reject(new BenchFailed(`waited ${patience / 1000} s in vain until ${what}`))),
        patience,
      );
      this.#watchers.add(watcher);
      watcher();
    });
  }
}
