import { ApduRecord } from './apdu-record.js';
import { CardChain } from './card-chain.js';

/** Nothing is under way. */
export const IDLE = 0;

/**
 * One call of the caller's at a time, from its promise to its outcome. It goes step by step through its lines, without a
 * function that waits: the promise is all there is of it.
 */
export abstract class CardCall extends CardChain {
  /** What is under way; the subclasses number their steps. */
  protected step = IDLE;
  #resolve: ((value: unknown) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  /** Calls that came while another one was under way. */
  #waiting: (() => void) | undefined;
  #record: ApduRecord | undefined;

  /** The first step is gone through in turn, on an empty stack. */
  protected begin(step: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.step = step;
      this.#resolve = resolve;
      this.#reject = reject;
      this.sendNothing();
    });
  }

  protected later<T>(again: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      const before = this.#waiting;
      this.#waiting = () => {
        before?.();
        resolve(again());
      };
    });
  }

  protected finish(value: unknown): void {
    const resolve = this.#resolve;
    this.rest();
    resolve?.(value);
    this.next();
  }

  protected fail(error: unknown): void {
    const reject = this.#reject;
    this.rest();
    reject?.(error);
    this.next();
  }

  /** The call has ended; what it had lent is let go. */
  protected rest(): void {
    this.endChain();
    this.step = IDLE;
    this.#resolve = this.#reject = this.#record = undefined;
  }

  private next(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  // For the observer ------------------------------------------------------------------------------------------------

  /** The command prepared is one that an observer is told of, with this class. */
  protected record(cla: number): void {
    this.#record = this.context.options.observe ? new ApduRecord(this.copyOfCommand(cla)) : undefined;
  }

  protected addToRecord(bytes: Uint8Array): void {
    this.#record?.add(bytes);
  }

  protected tellRecord(sw: number): void {
    const { observe } = this.context.options;
    if (observe) this.#record?.tell(observe, sw);
    this.#record = undefined;
  }
}
