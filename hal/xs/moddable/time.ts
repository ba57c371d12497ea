import SdkTime from 'time';
import type { Time } from '../../contracts/index.js';

/**
 * The SDK's ticks are 32 bits of milliseconds and begin anew after 49 days; these go on. They must be looked at once in 24
 * days.
 */
export class XsTime implements Time {
  #last = SdkTime.ticks | 0;
  #ticks = 0;

  get ticks(): number {
    const now = SdkTime.ticks | 0;
    this.#ticks += (now - this.#last) | 0;
    this.#last = now;
    return this.#ticks;
  }
}
