import type { TimerHandle } from '../../hal/contracts/index.js';
import { decode, PendingNotification } from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { EimHappening } from '../events.js';
import type { RspConnection } from './rsp-connection.js';
import type { Device, EimState } from './state.js';

/** After a failed attempt, milliseconds. */
const pause = 30_000;

/** Brings notifications to the SM-DP+ they name (SGP.32 §3.7): durable until they are there, the oldest first. */
export class Forwarding {
  readonly #state: EimState;
  readonly #clock: Clock;
  readonly #connect: RspConnection | undefined;
  readonly #observe: (what: EimHappening, eid: string, detail: Record<string, unknown>) => void;
  readonly #save: () => void;
  readonly #busy = new Set<string>();
  #timer: TimerHandle | undefined;

  constructor(context: {
    state: EimState;
    clock: Clock;
    connect: RspConnection | undefined;
    observe: (what: EimHappening, eid: string, detail: Record<string, unknown>) => void;
    /** Does not throw; what could not be saved is saved later. */
    save: () => void;
  }) {
    this.#state = context.state;
    this.#clock = context.clock;
    this.#connect = context.connect;
    this.#observe = context.observe;
    this.#save = context.save;
  }

  /** Puts it into the state; it leaves with {@link run}, once the state is saved. */
  add(device: Device, notification: PendingNotification): void {
    if (!this.#connect) return;
    const { profileInstallationResult, otherSignedNotification } = notification;
    const metadata =
      profileInstallationResult?.profileInstallationResultData.value.notificationMetadata ??
      otherSignedNotification?.tbsOtherNotification.value;
    if (!metadata) return;
    device.forwards ??= [];
    device.forwards.push({
      address: metadata.notificationAddress,
      notification: PendingNotification.write(notification),
    });
  }

  run(device: Device): void {
    const connect = this.#connect;
    const [next] = device.forwards ?? [];
    if (!connect || !next || this.#busy.has(device.eid)) return;
    const request = {
      handleNotification: { pendingNotification: decode(PendingNotification, next.notification) },
    };
    const done = () => {
      this.#busy.delete(device.eid);
      device.forwards?.shift();
      this.#save();
      this.#observe('forwarded', device.eid, { address: next.address });
      this.run(device);
    };
    const failed = (error: unknown) => {
      this.#busy.delete(device.eid);
      const why = error instanceof Error ? error.message : String(error);
      this.#observe('rejected', device.eid, { why: `${next.address} did not take a notification: ${why}` });
      this.#timer ??= this.#clock.set(() => {
        this.#timer = undefined;
        for (const one of this.#state.devices) this.run(one);
      }, pause);
    };
    this.#busy.add(device.eid);
    try {
      const answer = connect(next.address, request);
      if (answer instanceof Promise) answer.then(done, failed);
      else done();
    } catch (error) {
      failed(error);
    }
  }

  close(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }
}
