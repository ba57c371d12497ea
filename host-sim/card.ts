/** What a modem sees of a UICC: a reset line and APDUs. The virtual eUICC implements it; a real reader could. */
export interface Card {
  /** Cold reset; every logical channel is gone. Returns the ATR. */
  reset(): Uint8Array;
  /** Command APDU in, response data and status word out. Synchronous: time is the modem's business. */
  transmit(command: Uint8Array): Uint8Array;
}
