import type { HalEvent, Observer, Time, Timer } from '../contracts/index.js';
import type { AtClient } from './at-client.js';
import type { Quirks } from './quirks.js';

/** `80AA…`: IPAd supported (es10.md §1.3). */
export const TERMINAL_CAPABILITY = [0x80, 0xaa, 0, 0, 5, 0xa9, 3, 0x84, 1, 1] as const;
/** The same with the device capabilities of SGP.22. */
export const COMBINED_CAPABILITY = [0x80, 0xaa, 0, 0, 8, 0xa9, 6, 0x83, 1, 7, 0x84, 1, 1] as const;

/** What may be chosen about the way to the card. */
export interface UiccOptions {
  timer: Timer;
  time: Time;
  /** Most bytes to ask for by GET RESPONSE, for boards whose UART loses bytes; no limit when absent or 0. */
  maxResponse?: number;
  /** The TERMINAL CAPABILITY command APDU; empty = send none. Default: {@link TERMINAL_CAPABILITY}. */
  terminalCapability?: ArrayLike<number>;
  observe?: Observer<HalEvent>;
}

/** What both ways to the card share, and what outlives each of them. */
export interface UiccContext {
  readonly client: AtClient;
  readonly options: UiccOptions;
  quirks: Quirks;
  /** AT+CSIM passes APDUs to the basic channel; undefined until known. */
  csimWorks?: boolean;
  /** Ways on which channels of an earlier life have been closed, as bits of {@link Way}. */
  cleaned?: number;
  /** The card turned out to have been reset. */
  simLost?(): void;
}

export const Way = { csim: 1, cgla: 2 } as const;
