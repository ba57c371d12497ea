import type { Clock } from '../clock.js';
import type { Eim, Order, Outcome, QueueOptions } from '../eim/index.js';
import type { VirtualEuicc } from '../euicc/index.js';
import type { TraceEvent } from '../events.js';
import type { Network } from '../modem/index.js';
import type { Trace } from '../trace/index.js';
import type { Ipa } from './ipa.js';

/** Nothing in a story takes longer, in milliseconds of its clock; what does has failed. */
const PATIENCE = 60_000;

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
  clock: Clock;
  trace: Trace;
}

/** What a story is told with: orders, polls, attacks, and waiting for what must happen. Every wait ends. */
export class Stage {
  readonly cast: Cast;
  /** Attacks that ended in the refusal they must end in. */
  refusedAsExpected = 0;
  readonly #waits = new Set<() => void>();

  constructor(cast: Cast) {
    this.cast = cast;
  }

  /** Gives up all waiting; nothing that was waited for settles any more. */
  abandon(): void {
    for (const stop of [...this.#waits]) stop();
  }

  step(title: string, detail?: string): void {
    this.cast.trace.emit('demo', { event: 'step', title, detail });
  }

  /**
   * Queues an order and waits until its result is verified, acknowledged and gone from the eUICC.
   * @throws StepFailed unless every operation succeeded
   */
  async order(order: Order, options: QueueOptions = {}, eim = this.cast.eim): Promise<Outcome> {
    const outcome = eim.queue(this.cast.eid, order, { ...options, timeoutMilliseconds: PATIENCE });
    if (options.mode !== 'injection') this.cast.ipad.poll();
    const result = await outcome;
    if (!result.ok) throw new StepFailed(`${JSON.stringify(order)} ended with ${JSON.stringify(result)}`);
    await this.quiet();
    return result;
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

  /** Pushes a package past the eIM's queue. @throws StepFailed unless it is refused with `expected` */
  async attack(expected: string, euiccPackageRequest: Uint8Array): Promise<void> {
    const idle = this.idle();
    const result = await this.cast.eim.probe(this.cast.eid, euiccPackageRequest);
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
        reject(new StepFailed(`waited ${PATIENCE / 1000} s in vain until ${what}`));
      }, PATIENCE);
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
