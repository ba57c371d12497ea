import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createSign,
  type ECDH,
  randomBytes,
} from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';

/**
 * How the server proves that the key of its certificate is its own: it does; it names no algorithm; its signature is zeros, or
 * of somebody else; it passes on the true server's signature and then its own parameters without one; it begins to
 * encrypt before there are keys; it takes up the session of the true server, which it is at first, and then goes on as in a new
 * one, without a signature.
 */
export type Proof = 'true' | 'none' | 'zeros' | 'wrong' | 'twice' | 'early' | 'resumed';

export interface LyingTlsOptions {
  proof: Proof;
  /** DER. */
  certificate: Uint8Array;
  /** PEM; what a liar gets the true server to sign. */
  key: string;
}

const HANDSHAKE = 22;
const CHANGE = 20;
const DATA = 23;
const AES_128_GCM = 'aes-128-gcm';

/** TLS 1.2 with ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, and nothing else. It takes part in one handshake a connection. */
export class LyingTls {
  /** Connections, and what came in them when the client took the handshake for a good one. */
  connections = 0;
  heard = '';
  /** Connections in which a session was offered. */
  offered = 0;
  readonly #options: LyingTlsOptions;
  readonly #server: Server;

  constructor(options: LyingTlsOptions) {
    this.#options = options;
    this.#server = createServer((socket) => {
      this.connections++;
      socket.on('error', () => {});
      new Conversation(socket, this.#options, {
        onOffer: () => this.offered++,
        onData: (text) => {
          this.heard += text;
        },
      });
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) =>
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port)),
    );
  }

  close(): void {
    this.#server.close();
  }
}

interface Listener {
  onOffer(): void;
  onData(text: string): void;
}

class Conversation {
  readonly #socket: Socket;
  readonly #options: LyingTlsOptions;
  readonly #listener: Listener;
  readonly #random = randomBytes(32);
  readonly #messages: Buffer[] = [];
  #buffer: Buffer = Buffer.alloc(0);
  #clientRandom: Buffer = Buffer.alloc(0);
  #ecdh: ECDH | undefined;
  #master: Buffer | undefined;
  /** Of what comes: the client has begun to encrypt. */
  #isSecret = false;
  #received = 0n;
  #isFinished = false;
  /** The true server, of which the device keeps the session that is taken up by another one. */
  #isTrue = false;

  constructor(socket: Socket, options: LyingTlsOptions, listener: Listener) {
    this.#socket = socket;
    this.#options = options;
    this.#listener = listener;
    socket.on('data', (bytes) => this.#take(bytes));
  }

  #take(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    while (this.#buffer.length >= 5) {
      const length = this.#buffer.readUInt16BE(3);
      if (this.#buffer.length < 5 + length) return;
      const type = this.#buffer[0];
      const body = this.#buffer.subarray(5, 5 + length);
      this.#buffer = this.#buffer.subarray(5 + length);
      try {
        this.#record(type, this.#isSecret ? this.#open(type, body) : body);
      } catch {
        this.#socket.destroy();
      }
    }
  }

  #record(type: number, body: Buffer): void {
    if (type === CHANGE) {
      this.#isSecret = true;
      this.#received = 0n;
    } else if (type === DATA) {
      // What the true server hears is no secret of a liar's.
      if (this.#isTrue) this.#socket.destroy();
      else this.#listener.onData(body.toString('latin1'));
    } else if (type === HANDSHAKE) {
      this.#messages.push(body);
      if (body[0] === 1) this.#greet(body);
      else if (body[0] === 16) this.#agree(body.subarray(5));
      else if (body[0] === 20) this.#finish();
    }
  }

  #greet(hello: Buffer): void {
    this.#clientRandom = hello.subarray(6, 38);
    const { proof, certificate } = this.#options;
    const offered = hello.subarray(39, 39 + hello[38]);
    const isOffered = offered.length > 0;
    if (isOffered) this.#listener.onOffer();
    this.#isTrue = proof === 'resumed' && !isOffered;
    const id = this.#isTrue ? randomBytes(32) : proof === 'resumed' ? offered : Buffer.alloc(0);
    this.#say(
      2,
      Buffer.concat([Buffer.from('0303', 'hex'), this.#random, sized(id, 1), Buffer.from('c02b00', 'hex')]),
    );
    this.#say(11, sized(sized(Buffer.from(certificate), 3), 3));
    if (proof === 'twice') this.#exchange('true');
    if (proof === 'resumed') this.#exchange(this.#isTrue ? 'true' : 'none');
    else this.#exchange(proof === 'twice' ? 'none' : proof);
    if (proof === 'early') {
      // Before the client has chosen a secret: with an empty one.
      this.#master = Buffer.alloc(0);
      this.#send(CHANGE, Buffer.of(1));
      this.#finish(false);
      this.#master = undefined;
    } else this.#say(14, Buffer.alloc(0));
  }

  #exchange(proof: Proof): void {
    this.#ecdh = createECDH('prime256v1');
    const parameters = Buffer.concat([Buffer.of(3, 0, 23), sized(this.#ecdh.generateKeys(), 1)]);
    const signed = Buffer.concat([this.#clientRandom, this.#random, parameters]);
    const sign = () => createSign('sha256').update(signed).sign(this.#options.key);
    const [algorithm, signature] =
      proof === 'none'
        ? [0, Buffer.alloc(0)]
        : proof === 'zeros'
          ? [3, Buffer.from('3006020100020100', 'hex')]
          : [3, proof === 'wrong' ? createSign('sha256').update('else').sign(this.#options.key) : sign()];
    this.#say(12, Buffer.concat([parameters, Buffer.of(4, algorithm), sized(signature, 2)]));
  }

  #agree(point: Buffer): void {
    const seed = Buffer.concat([this.#clientRandom, this.#random]);
    this.#master = prf(this.#ecdh!.computeSecret(point), 'master secret', seed, 48);
  }

  #finish(isOrderly = true): void {
    // Whoever takes up a session says it last, once more.
    if (this.#isFinished) return;
    this.#isFinished = true;
    const digest = createHash('sha256').update(Buffer.concat(this.#messages)).digest();
    const body = prf(this.#master!, 'server finished', digest, 12);
    if (isOrderly) this.#send(CHANGE, Buffer.of(1));
    const plain = message(20, body);
    const nonce = Buffer.alloc(8);
    const { key, iv } = this.#keys(false);
    const cipher = createCipheriv(AES_128_GCM, key, Buffer.concat([iv, nonce]));
    cipher.setAAD(additional(0n, HANDSHAKE, plain.length));
    this.#send(HANDSHAKE, Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
  }

  #open(type: number, body: Buffer): Buffer {
    const { key, iv } = this.#keys(true);
    const text = body.subarray(8, -16);
    const decipher = createDecipheriv(AES_128_GCM, key, Buffer.concat([iv, body.subarray(0, 8)]));
    decipher.setAAD(additional(this.#received++, type, text.length));
    decipher.setAuthTag(body.subarray(-16));
    return Buffer.concat([decipher.update(text), decipher.final()]);
  }

  #keys(isClient: boolean): { key: Buffer; iv: Buffer } {
    const seed = Buffer.concat([this.#random, this.#clientRandom]);
    const block = prf(this.#master!, 'key expansion', seed, 40);
    return isClient
      ? { key: block.subarray(0, 16), iv: block.subarray(32, 36) }
      : { key: block.subarray(16, 32), iv: block.subarray(36, 40) };
  }

  #say(type: number, body: Buffer): void {
    const whole = message(type, body);
    this.#messages.push(whole);
    this.#send(HANDSHAKE, whole);
  }

  #send(type: number, body: Buffer): void {
    this.#socket.write(Buffer.concat([Buffer.of(type, 3, 3), sized(body, 2)]));
  }
}

function message(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type), sized(body, 3)]);
}

function sized(body: Buffer, bytes: number): Buffer {
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(body.length, 0, bytes);
  return Buffer.concat([length, body]);
}

function additional(number: bigint, type: number, length: number): Buffer {
  const data = Buffer.alloc(13);
  data.writeBigUInt64BE(number);
  data.writeUInt8(type, 8);
  data.writeUInt16BE(0x303, 9);
  data.writeUInt16BE(length, 11);
  return data;
}

/** RFC 5246 §5 with SHA-256. */
function prf(secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
  const start = Buffer.concat([Buffer.from(label), seed]);
  const mac = (text: Buffer) => createHmac('sha256', secret).update(text).digest();
  let result: Buffer = Buffer.alloc(0);
  for (let a = mac(start); result.length < length; a = mac(a))
    result = Buffer.concat([result, mac(Buffer.concat([a, start]))]);
  return result.subarray(0, length);
}
