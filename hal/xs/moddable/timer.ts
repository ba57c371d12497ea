import SdkTimer from 'timer';
import type { Timer, TimerHandle } from '../../contracts/index.js';

/** What the SDK's timer takes: a signed 32-bit number. */
const LONGEST = 0x7fffffff;

/** The SDK's timer; delays are cut at 24 days. */
export class XsTimer implements Timer {
  set(callback: () => void, milliseconds: number): TimerHandle {
    const delay = milliseconds > LONGEST ? LONGEST : milliseconds > 0 ? Math.ceil(milliseconds) : 0;
    return SdkTimer.set(callback, delay);
  }

  clear(handle: TimerHandle | undefined): void {
    if (handle !== undefined) SdkTimer.clear(handle as Parameters<typeof SdkTimer.clear>[0]);
  }
}
