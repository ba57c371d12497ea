/** Takes response data in the order of arrival; the view is only valid during the call. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/**
 * One application on a UICC, reached over a logical channel of our own (spec/es10.md §1).
 *
 * One transmit() at a time. After a card reset every call fails with a `UiccError` of code `channelLost`
 * until open() has been run again.
 */
export interface Uicc {
  /**
   * TERMINAL CAPABILITY, a logical channel, SELECT (es10.md §1.2). Closes what was open before.
   * @param aid DF name, 5–16 bytes
   * @returns the FCI, empty where the modem hides it; valid until the next call
   */
  open(aid: ArrayLike<number>): Promise<Uint8Array>;
  /**
   * One command APDU. 61xx, 6Cxx and the class bits of the channel are dealt with inside; 91xx, 62xx and 63xx
   * come back as they are.
   * @param command CLA (base class `00` or `80`), INS, P1, P2, Lc, data; no Le. Must not change until done
   * @param sink receives the response data without status words
   * @param deadline milliseconds for each AT command
   * @returns the status word, 0…0xFFFF
   */
  transmit(command: Uint8Array, sink: ByteSink, deadline?: number): Promise<number>;
  /** Gives the channel back. Never fails. */
  close(): Promise<void>;
}

/** True for status words that mean "carried out": 9000, 91xx (a proactive command waits), 62xx and 63xx (warnings). */
export function isSuccess(sw: number): boolean {
  const sw1 = sw >> 8;
  return sw === 0x9000 || sw1 === 0x91 || sw1 === 0x62 || sw1 === 0x63;
}
