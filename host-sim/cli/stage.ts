import type { LinkKind } from '../../ipa/esipa/index.js';
import { iccidDigits } from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { ConfigurationOptions, Eim, Order, Outcome, QueueOptions } from '../eim/index.js';
import type { VirtualEuicc } from '../euicc/index.js';
import type { TraceEvent } from '../events.js';
import type { Network } from '../modem/index.js';
import type { Smdp } from '../smdp/index.js';
import type { Trace } from '../trace/index.js';
import type { DeviceOperation } from '../xs/index.js';
import type { Costs } from './costs.js';
import { linkOf } from './demo-transport.js';
import type { EimWay } from './demo-ways.js';
import type { Ipa } from './ipa.js';

/** Nothing in a story takes longer, besides a download, in milliseconds of its clock; what does has failed. */
const PATIENCE = 60_000;
/** Most characters on the serial line for each byte of a profile, whatever else it carries meanwhile. */
const CHARACTERS = 8;
/** Bits of a character. */
const BITS = 10;
/** Of a profile, in milliseconds for a byte, where the line is not paced. */
const UNPACED = 0.5;

/** A step did not end as it must. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

export interface Cast {
  eid: string;
  ipad: Ipa;
  euicc: VirtualEuicc;
  network: Network;
  eim: Eim;
  backup: Eim;
  /** How these are reached. */
  ways: readonly EimWay[];
  clock: Clock;
  trace: Trace;
  costs: Costs;
  /** SubjectKeyIdentifier of the CI whose certificates the eUICC is to sign with. */
  ciKeyId: Uint8Array;
  /** In stories that download. */
  smdp?: Smdp;
  /** How the device reaches it, a sentence. */
  smdpWay?: string;
  /** Bytes of the profiles that are downloaded. */
  profileSize: number;
  /** Of the serial line; 0 when it is not paced. */
  baud: number;
}

/** What a story is told with: orders, polls, attacks, and waiting for what must happen. Every wait ends. */
export class Stage {
  readonly cast: Cast;
  /** Attacks and orders that ended in the refusal they must end in. */
  refusedAsExpected = 0;
  readonly #waits = new Set<() => void>();

  constructor(cast: Cast) {
    this.cast = cast;
  }

  /** Gives up all waiting; nothing that was waited for settles any more. */
  abandon(): void {
    for (const stop of [...this.#waits]) stop();
  }

  /** Milliseconds of the clock. */
  get patience(): number {
    const { profileSize, baud } = this.cast;
    return PATIENCE + profileSize * (baud === 0 ? UNPACED : (CHARACTERS * BITS * 1000) / baud + UNPACED);
  }

  /** ICCID of the enabled profile. */
  get enabled(): string | undefined {
    const profile = this.cast.euicc.profiles.find(({ enabled }) => enabled);
    return profile && iccidDigits(profile.iccid);
  }

  /** What a device reaches this eIM by. */
  link(eim = this.cast.eim): LinkKind {
    return linkOf[this.#way(eim).transport];
  }

  /** EimConfigurationData of an eIM, with the way to it; the eUICC is to make a token. */
  configuration(eim: Eim, options: Partial<ConfigurationOptions> & { eid?: string } = {}): Uint8Array {
    const { configuration } = this.#way(eim);
    return eim.eimConfiguration({
      ...configuration,
      token: true,
      euiccCiPKId: this.cast.ciKeyId,
      ...options,
    });
  }

  #way({ eimId }: Eim): EimWay {
    const way = this.cast.ways.find((one) => one.eimId === eimId);
    if (!way) throw new StepFailed(`nothing leads to ${eimId}`);
    return way;
  }

  /** The next chapter begins; the one before is paid. */
  async step(title: string, detail?: string): Promise<void> {
    await this.finish();
    this.cast.costs.begin(title);
    this.cast.trace.emit('demo', { event: 'step', title, detail });
  }

  /** The last chapter is over. */
  async finish(): Promise<void> {
    const { costs, ipad } = this.cast;
    costs.end(await ipad.mark());
  }

  /**
   * Queues an order and waits until its result is verified, acknowledged and gone from the eUICC.
   * @throws StepFailed unless every operation succeeded
   */
  async order(order: Order, options: QueueOptions = {}, eim = this.cast.eim): Promise<Outcome> {
    const outcome = eim.queue(this.cast.eid, order, { ...options, timeoutMilliseconds: this.patience });
    if (options.mode !== 'injection') this.cast.ipad.poll();
    const result = await outcome;
    if (!result.ok) throw new StepFailed(`${JSON.stringify(order)} ended with ${JSON.stringify(result)}`);
    await this.quiet();
    return result;
  }

  /**
   * Queues an order that does not end as ordered, and waits until everything is quiet.
   * @param expected what makes the outcome right
   * @throws StepFailed unless it does
   */
  async orderInVain(order: Order, expected: (outcome: Outcome) => boolean): Promise<void> {
    const { eim, eid, ipad } = this.cast;
    const outcome = eim.queue(eid, order, { timeoutMilliseconds: this.patience });
    ipad.poll();
    const result = await outcome;
    if (!expected(result))
      throw new StepFailed(`${JSON.stringify(order)} ended with ${JSON.stringify(result)}`);
    if (result.outcome === 'refused') this.refusedAsExpected++;
    await this.quiet();
  }

  /** Polls every eIM and waits for the answer of one of them. */
  async poll(eimId: string): Promise<void> {
    const answered = this.until(
      `${eimId} answers the poll`,
      (event) => event.event === 'esipa' && event.direction === 'down' && event.eimId === eimId,
    );
    const idle = this.idle();
    this.cast.ipad.poll();
    await answered;
    await idle;
  }

  /** Lets the device do something by itself. @throws StepFailed unless the eUICC does it */
  async perform(operation: DeviceOperation): Promise<void> {
    const result = await this.cast.ipad.perform(operation);
    if (result !== 0) throw new StepFailed(`the eUICC answered ${operation.op} with ${result}`);
  }

  /** Pushes a package past the eIM's queue, or lets the device fetch it where nobody can push. @throws StepFailed unless it is refused with `expected` */
  async attack(expected: string, euiccPackageRequest: Uint8Array): Promise<void> {
    const idle = this.idle();
    const { eim, eid, ipad } = this.cast;
    const answered = eim.probe(eid, euiccPackageRequest);
    if (!eim.onInjection) ipad.poll();
    const result = await answered;
    if (result.outcome !== 'refused' || result.name !== expected) {
      throw new StepFailed(`expected a refusal with ${expected}, got ${JSON.stringify(result)}`);
    }
    this.refusedAsExpected++;
    await idle;
  }

  /** Everything is acknowledged and off the eUICC, and the IPA has nothing to do. */
  async quiet(): Promise<void> {
    const { ipad, euicc } = this.cast;
    const quiet = () =>
      ipad.state === 'idle' && euicc.results.length === 0 && euicc.notifications.length === 0;
    // The state changes before the event is told, so that looking first misses nothing.
    if (!quiet()) await this.until('the acknowledgement is carried out', quiet);
  }

  idle(): Promise<void> {
    return this.state('idle');
  }

  state(wanted: string): Promise<void> {
    return this.until(`the IPA is ${wanted}`, (event) => event.event === 'state' && event.state === wanted);
  }

  /** Resolves with the next event that fits. */
  until(what: string, fits: (event: TraceEvent) => boolean): Promise<void> {
    const { clock, trace } = this.cast;
    const happened = new Promise<void>((resolve, reject) => {
      const timer = clock.set(() => {
        stop();
        reject(new StepFailed(`waited ${Math.round(this.patience / 1000)} s in vain until ${what}`));
      }, this.patience);
      const unsubscribe = trace.subscribe((event) => {
        if (!fits(event)) return;
        stop();
        resolve();
      });
      const stop = () => {
        unsubscribe();
        clock.clear(timer);
        this.#waits.delete(stop);
      };
      this.#waits.add(stop);
    });
    // Whoever asked for it looks at it later; until then a rejection is not unhandled.
    happened.catch(() => {});
    return happened;
  }
}
