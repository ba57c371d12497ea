/** How long to wait for what, in milliseconds (at.md §8). */
export const DEADLINE = {
  /** AT, ATE0 and plain queries. */
  query: 3_000,
  /** AT+CSIM and AT+CGLA with an ordinary ES10 command, and opening a channel. */
  apdu: 10_000,
  /** AT+COPS? and AT+CRSM may go to the network stack or the card. */
  slowQuery: 10_000,
  /** AT+CCHC, AT+CCHO. */
  channel: 30_000,
  functionLevel: 20_000,
  /** How long "SIM busy" is borne with while a channel is opened: after a reset the modem reads files first. */
  simBusy: 20_000,
} as const;
