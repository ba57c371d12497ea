/**
 * An MQTT 3.1.1 client in the shape of ECMA-419 as Moddable's `embedded:network/mqtt/client` has it:
 * one instance is one connection, payloads are streamed both ways, and reconnecting is the application's job. Callbacks
 * never run before the constructor has returned.
 */
export interface MqttClient {
  /**
   * Publishes or subscribes, or passes on the next piece of a PUBLISH whose `byteLength` is not yet reached
   * (then without options). Never pass more bytes than onWritable allowed.
   * @returns how many bytes may be written still
   */
  write(data: Uint8Array | undefined, options?: MqttWriteOptions): number;
  /** Copies up to `into.byteLength` bytes of the present payload into `into`; returns how many. */
  read(into: Uint8Array): number;
  /** Idempotent; no callback runs afterwards. */
  close(): void;
}

/** Values of `operation` are MQTT control packet types. */
export const MqttOperation = {
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  SUBSCRIBE: 8,
  SUBACK: 9,
  DISCONNECT: 14,
} as const;

export interface MqttWriteOptions {
  /** PUBLISH when absent. */
  operation?: number;
  /** Packet identifier; reported back in onControl. Chosen by the client when absent. */
  id?: number;
  topic?: string;
  QoS?: 0 | 1;
  /** Whole length of the payload, when `data` is only its beginning. */
  byteLength?: number;
  duplicate?: boolean;
  /** For SUBSCRIBE. */
  items?: readonly { topic: string; QoS: 0 | 1 }[];
}

export interface MqttReadableOptions {
  /** Present on the first call for a message only. */
  topic?: string;
  QoS?: number;
  /** Whole length of the payload; present with `topic`. */
  byteLength?: number;
  /** More pieces of this message will be announced. */
  more: boolean;
}

export interface MqttControlMessage {
  id?: number;
  /** CONNACK: the broker kept the session of this client id. */
  sessionPresent?: boolean;
  /** SUBACK: granted QoS per item, 0x80 = refused. */
  payload?: readonly number[];
}

export interface MqttOptions {
  host: string;
  port?: number;
  id: string;
  clean?: boolean;
  /** Milliseconds. */
  keepAlive?: number;
  user?: string;
  password?: string;
  /** `count` payload bytes can be read. */
  onReadable?: (count: number, options: MqttReadableOptions) => void;
  /** Connected (first call) or room returned: `count` bytes may be written. */
  onWritable?: (count: number) => void;
  /** CONNACK, PUBACK, SUBACK arrived. */
  onControl?: (operation: number, message: MqttControlMessage) => void;
  /** The connection ended in order. Only close() may follow. */
  onClose?: () => void;
  /** The connection could not be made, was refused or broke. Only close() may follow. */
  onError?: (reason?: unknown) => void;
  [option: string]: unknown;
}

export type MqttClientConstructor = new (options: MqttOptions) => MqttClient;

/** The class under `io`; TLS, DNS and socket classes beside it are the class's own business. */
export interface MqttConfiguration {
  io: MqttClientConstructor;
  host: string;
  port?: number;
  user?: string;
  password?: string;
  keepAlive?: number;
  [option: string]: unknown;
}
