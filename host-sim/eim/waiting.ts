import type { TimerHandle } from '../../hal/contracts/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import type { Outcome } from './outcome.js';

interface Open {
  timer: TimerHandle | undefined;
  finish: (outcome: Outcome) => void;
}

interface Probe extends Open {
  eid: string;
  eimTransactionId: Uint8Array | undefined;
  /** For a poll; absent where it was pushed. */
  request: Uint8Array | undefined;
}

/** Those who wait for an outcome: in memory only, the tasks themselves are in the store. */
export class Waiting {
  readonly #clock: Clock;
  readonly #tasks = new Map<number, Open>();
  readonly #probes = new Set<Probe>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `expire` is called after the time, if the task is still open then; and again after that time where it gives false. */
  task(id: number, expire: () => boolean, timeoutMilliseconds: number | undefined): Promise<Outcome> {
    return new Promise((finish) => {
      const open: Open = { timer: undefined, finish };
      const wait = (milliseconds: number) => {
        open.timer = this.#clock.set(() => {
          if (!expire()) wait(milliseconds);
        }, milliseconds);
      };
      if (timeoutMilliseconds !== undefined) wait(timeoutMilliseconds);
      this.#tasks.set(id, open);
    });
  }

  finishTask(id: number, outcome: Outcome): void {
    const open = this.#tasks.get(id);
    this.#tasks.delete(id);
    this.#clock.clear(open?.timer);
    open?.finish(outcome);
  }

  /** For something that is sent past the queue. @param request when polls are to be answered with it */
  probe(
    eid: string,
    eimTransactionId: Uint8Array | undefined,
    timeoutMilliseconds: number,
    request?: Uint8Array,
  ): Promise<Outcome> {
    return new Promise((finish) => {
      const late = () => this.#finishProbe(probe, { outcome: 'timeout', ok: false, sent: true });
      const timer = this.#clock.set(late, timeoutMilliseconds);
      const probe: Probe = { eid, eimTransactionId, request, timer, finish };
      this.#probes.add(probe);
    });
  }

  /** What a poll of this device is to be answered with, past the queue. */
  probed(eid: string): Uint8Array | undefined {
    for (const probe of this.#probes) if (probe.eid === eid && probe.request) return probe.request;
    return undefined;
  }

  /** Without a transaction identifier every probe of the device is meant. */
  finishProbes(eid: string, eimTransactionId: Uint8Array | undefined, outcome: Outcome): void {
    for (const probe of this.#probes) {
      if (probe.eid !== eid) continue;
      if (eimTransactionId && !sameBytes(probe.eimTransactionId, eimTransactionId)) continue;
      this.#finishProbe(probe, outcome);
    }
  }

  #finishProbe(probe: Probe, outcome: Outcome): void {
    this.#probes.delete(probe);
    this.#clock.clear(probe.timer);
    probe.finish(outcome);
  }

  /** Ends all timers; nobody is told anything any more. */
  close(): void {
    for (const { timer } of [...this.#tasks.values(), ...this.#probes]) this.#clock.clear(timer);
    this.#tasks.clear();
    this.#probes.clear();
  }
}
