import { MqttOperation } from '../../../hal/contracts/index.js';
import { EsipaTag } from '../tags.js';
import type { MqttConnection } from './connection.js';

/** One message on its way out. */
export interface Outgoing {
  bytes: Uint8Array;
  offset: number;
  id: number;
  /** Sent before: flagged as duplicate. */
  again: boolean;
  /** The broker has it. */
  acknowledged: boolean;
  /** Nobody wants it any more, but its beginning is out. */
  abandoned: boolean;
}

/** Bytes of a PUBLISH beside topic and payload: fixed header, lengths, packet id. */
const PUBLISH_OVERHEAD = 9;

/** Messages to publish on one topic, in order, in pieces as the connection has room; each is kept until the broker has it. */
export class Outbox {
  readonly #connection: MqttConnection;
  readonly #topic: string;
  readonly #waiting: Outgoing[] = [];

  constructor(connection: MqttConnection, topic: string) {
    this.#connection = connection;
    this.#topic = topic;
  }

  add(bytes: Uint8Array): Outgoing {
    const outgoing = {
      bytes,
      offset: 0,
      id: this.#connection.nextId(),
      again: false,
      acknowledged: false,
      abandoned: false,
    };
    this.#waiting.push(outgoing);
    return outgoing;
  }

  /** Takes a message back, unless its beginning is out already: then it is finished from a copy. */
  remove(outgoing: Outgoing): void {
    const at = this.#waiting.indexOf(outgoing);
    if (at < 0) return;
    const { offset, bytes } = outgoing;
    if (offset === 0 || offset === bytes.length) {
      this.#waiting.splice(at, 1);
      return;
    }
    outgoing.abandoned = true;
    outgoing.bytes = bytes.slice();
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  /** The broker has the message with this packet id. @returns it, if it is one of these */
  acknowledge(id: number): Outgoing | undefined {
    const at = this.#waiting.findIndex(
      (outgoing) => outgoing.id === id && outgoing.offset === outgoing.bytes.length,
    );
    if (at < 0) return undefined;
    const [outgoing] = this.#waiting.splice(at, 1);
    outgoing.acknowledged = true;
    return outgoing;
  }

  /** Takes a message back that is out for good, because no broker confirms it. @returns false: it is on its way still */
  forget(outgoing: Outgoing): boolean {
    if (isConfirmed(outgoing.bytes) || outgoing.offset < outgoing.bytes.length) return false;
    this.remove(outgoing);
    return true;
  }

  /** The connection is gone: what the broker has not confirmed goes out again over the next one. */
  restart(): void {
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const outgoing = this.#waiting[at];
      if (outgoing.abandoned) this.#waiting.splice(at, 1);
      if (outgoing.offset === 0) continue;
      outgoing.offset = 0;
      outgoing.again = true;
    }
  }

  /** Writes as much as there is room for. */
  pump(): void {
    const connection = this.#connection;
    if (!connection.ready) return;
    for (const outgoing of this.#waiting) {
      while (outgoing.offset < outgoing.bytes.length) if (!this.writePiece(outgoing)) return;
    }
  }

  private writePiece(outgoing: Outgoing): boolean {
    const connection = this.#connection;
    const { bytes, offset } = outgoing;
    const room =
      offset > 0 ? connection.writable : connection.writable - PUBLISH_OVERHEAD - this.#topic.length;
    if (room <= 0) return false;
    outgoing.offset = Math.min(bytes.length, offset + room);
    const piece = bytes.subarray(offset, outgoing.offset);
    const { id, again } = outgoing;
    const QoS = isConfirmed(bytes) ? 1 : 0;
    const byteLength = bytes.length;
    if (offset > 0) connection.write(piece);
    else
      connection.write(piece, {
        operation: MqttOperation.PUBLISH,
        id,
        topic: this.#topic,
        QoS,
        byteLength,
        duplicate: again && QoS === 1,
      });
    return true;
  }
}

/** A poll goes with QoS 0: it is repeated until its answer comes, and worth nothing later. */
function isConfirmed(bytes: Uint8Array): boolean {
  return ((bytes[0] << 8) | bytes[1]) !== EsipaTag.getEimPackage;
}
