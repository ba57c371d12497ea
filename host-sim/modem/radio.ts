import { isRegistered, Registration, type TimerHandle } from '../../hal/contracts/index.js';
import type { Clock } from '../clock.js';
import type { Attachment, Network } from './network.js';

/** The modem's registration: follows subscription, radio switch and coverage. */
export class Radio {
  readonly #clock: Clock;
  readonly #network: Network;
  readonly #attachMilliseconds: number;
  readonly #changed: (stat: number, before: number) => void;
  #imsi: string | undefined;
  #on = false;
  #stat: number = Registration.idle;
  #attachment: Attachment | undefined;
  #timer: TimerHandle | undefined;
  #searching = false;
  #deaf: (() => void) | undefined;

  constructor(
    clock: Clock,
    network: Network,
    attachMilliseconds: number,
    changed: (stat: number, before: number) => void,
  ) {
    this.#clock = clock;
    this.#network = network;
    this.#attachMilliseconds = attachMilliseconds;
    this.#changed = changed;
  }

  /** `stat` of 27.007 §7.2. */
  get stat(): number {
    return this.#stat;
  }

  get registered(): boolean {
    return isRegistered(this.#stat);
  }

  /** The serving network while registered. */
  get attachment(): Attachment | undefined {
    return this.registered ? this.#attachment : undefined;
  }

  /** What this place has to offer to the subscription, registered or not. */
  get offer(): Attachment | undefined {
    return this.#imsi === undefined ? undefined : this.#network.attach(this.#imsi);
  }

  /** @param imsi undefined: no subscription  @param on false: transmitter off */
  update(imsi: string | undefined, on: boolean): void {
    if (imsi === this.#imsi && on === this.#on) return;
    this.#stop();
    this.#imsi = imsi;
    this.#on = on;
    if (this.registered) this.#set(Registration.idle);
    // Only a modem with a subscription listens, so that one which is switched off can be forgotten.
    this.#deaf?.();
    this.#deaf = on && imsi !== undefined ? this.#network.onChange(() => this.#evaluate()) : undefined;
    this.#evaluate();
  }

  #evaluate(): void {
    if (!this.#on || this.#imsi === undefined) {
      this.#set(Registration.idle);
      return;
    }
    // A search that is under way looks for itself when it ends.
    if (this.#searching) return;
    const target = this.#network.attach(this.#imsi);
    const same = target.stat === this.#stat && target.plmn === this.#attachment?.plmn;
    if (same && this.#stat !== Registration.idle) return;
    this.#set(Registration.searching);
    this.#searching = true;
    this.#timer = this.#clock.set(() => this.#found(), target.attachMilliseconds ?? this.#attachMilliseconds);
  }

  #found(): void {
    this.#searching = false;
    if (this.#imsi === undefined) return;
    this.#attachment = this.#network.attach(this.#imsi);
    this.#set(this.#attachment.stat);
  }

  #stop(): void {
    this.#clock.clear(this.#timer);
    this.#searching = false;
  }

  #set(stat: number): void {
    const before = this.#stat;
    if (stat === before) return;
    this.#stat = stat;
    this.#changed(stat, before);
  }
}
