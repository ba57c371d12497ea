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
  ['euicc', 'kind', 'detail'],
  ['link', 'eimId', 'state', 'detail'],
  ['esipa', 'direction', 'eimId', 'tag', 'message', 'byteLength'],
  ['apdu', 'command', 'response', 'sw'],
  ['acknowledged', 'eimId', 'seqNumbers'],
  ['dropped', 'eimId', 'tag', 'reason', 'count'],
  ['failure', 'where', 'code', 'detail', 'retryIn'],
  ['modem', 'notice', 'detail'],
  ['rollback', 'eimId'],
  ['switched', 'what'],
  // What a ConsoleCommand.operate has given; no event of the IPA.
  ['operated', 'result'],
  // Events the console had no room for.
  ['unheard', 'count'],
] as const;

export const ConsoleCommand = {
  poll: 0x70,
  associate: 0x61,
  stop: 0x73,
  /** Data: index in DEVICE_OPERATIONS, and the options of a memory reset. `operated` tells how it ended. */
  operate: 0x6f,
  /** Uses up the heap, for tests of what happens then. */
  exhaust: 0x78,
} as const;

export const DEVICE_OPERATIONS = [
  'enableEmergencyProfile',
  'disableEmergencyProfile',
  'resetMemory',
] as const;

/** What the device's own program wants of the eUICC. */
export type DeviceOperation =
  | { op: 'enableEmergencyProfile' | 'disableEmergencyProfile' }
  /** A sum of the bits of eUICCMemoryReset (es10.md §4.6). */
  | { op: 'resetMemory'; options: number };

/**
 * The engine on a device has TLS and DTLS outside of its scripts. So has this one: the other side of a port speaks them in the
 * device's name. A connection, or the first datagram of a socket, begins with a hello:
 *
 * HELLO, one byte of TrustKind, length (1) and characters of the server's name, number (1) of what is trusted, and for each
 * its length (2) and DER.
 *
 * A datagram of BYE alone says that its socket is closed. CoAP's own begin with other bytes.
 */
export const HELLO = 0x00;
export const BYE = 0x01;

export const TrustKind = {
  /** The roots of whoever speaks TLS. */
  system: 0,
  /** trustedPublicKeyDataTls (A6): a SubjectPublicKeyInfo, or a certificate. */
  publicKey: 1,
  certificate: 2,
  /** CA certificates. */
  roots: 3,
} as const;

/** How a device reaches one eIM. `address` and `port` are those of the simulator's side of it. */
export type DeviceWay =
  | {
      kind: 'mqtt';
      address: string;
      port: number;
      user?: string;
      password?: string;
      /** Of the topics and the client id; `esipa`, and none, when absent. */
      prefix?: string;
    }
  | {
      /** `https-json` with the JSON binding. */
      kind: 'https' | 'https-json' | 'coap';
      address: string;
      port: number;
      /** With TLS or DTLS. The other side of `port` speaks it; the device says there whom it trusts. */
      secure: boolean;
    };

/** Configuration of the device's program, test/xs/device/demo.ts. */
export interface DeviceConfig {
  console: { address: string; port: number };
  baud: number;
  /** By eimId. An eIM without a way is not served. */
  ways: Readonly<Record<string, DeviceWay>>;
  maxResponse?: number;
  /** Replaces single settings of the IPA. */
  settings?: Readonly<Record<string, number | boolean>>;
  /** Where the SM-DP+ is, whatever its address says; without it downloads go through the eIM. */
  smdp?: {
    address: string;
    port: number;
    /** Hex of the CA certificates that are trusted, with TLS; plain HTTP without them. */
    roots?: readonly string[];
  };
}
