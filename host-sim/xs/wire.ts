/**
 * What crosses a device's debug console: a TCP connection that the device opens.
 *
 * To the device: frames of one byte command, two bytes length, data. From it: frames of one byte, the event's index here,
 * and its fields in this order. A field is a letter and its value, numbers and lengths in two bytes, most significant first:
 * `-` absent, `b` length and bytes, `t` length and characters (Latin-1), `n` length and decimal digits, `l` count and values.
 *
 * The device's side is test/xs/device/console.ts, the other one decode.ts.
 */
export const CONSOLE_EVENTS = [
  ['state', 'state', 'from'],
  ['eid', 'eid'],
  ['associated', 'eimIds'],
  ['link', 'eimId', 'state', 'detail'],
  ['esipa', 'direction', 'eimId', 'tag', 'message', 'byteLength'],
  ['apdu', 'command', 'response', 'sw'],
  ['acknowledged', 'eimId', 'seqNumbers'],
  ['dropped', 'eimId', 'tag', 'reason', 'count'],
  ['failure', 'where', 'code', 'detail', 'retryIn'],
  ['modem', 'notice', 'detail'],
  ['rollback', 'eimId'],
  ['switched', 'what'],
  // Events the console had no room for.
  ['unheard', 'count'],
] as const;

export const ConsoleCommand = {
  poll: 0x70,
  associate: 0x61,
  stop: 0x73,
  /** Uses up the heap, for tests of what happens then. */
  exhaust: 0x78,
} as const;

/** Configuration of the device's program, test/xs/device/demo.ts. */
export interface DeviceConfig {
  console: { address: string; port: number };
  baud: number;
  broker: { address: string; port: number; user?: string; password?: string };
  /** Topic prefix by eimId, `esipa` where none is given. */
  prefixes: Readonly<Record<string, string>>;
  maxResponse?: number;
}
