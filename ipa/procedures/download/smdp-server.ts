import { type HttpConfiguration, XsIpaError } from '../../../hal/contracts/index.js';
import {
  Es9Error,
  Es9Fields,
  type Es9Function,
  Es9Path,
  JsonBody,
  JsonClient,
  type JsonField,
  type JsonSink,
} from '../../es9/index.js';
import { CancelReason } from '../../es10/index.js';
import type { AnswerSink, EimDownloadPreparation, EimServerAuthentication } from '../../esipa/index.js';
import { utf8 } from '../../text.js';
import { Cursor, Writer } from '../../tlv/index.js';
import { RspRefusal, type SmdpConnection } from './server.js';

/** Certificates and signatures of an answer together. */
const PARTS_LIMIT = 8_192;

/** ES9+ with an SM-DP+, or ES11 with an SM-DS, over HTTP, JSON binding (procedures.md §§6, 9). */
export class SmdpServer implements SmdpConnection {
  readonly address: string;
  readonly #path: string;
  readonly #client: JsonClient;
  readonly #body = new JsonBody();
  readonly #parts = new Parts();

  /**
   * @param address FQDN, perhaps with `:port`
   * @param http the class, and what it needs beside host and port; where it names a host itself, the connection goes there
   * @param isSmds it is an SM-DS: of its functions there are initiateAuthentication() and findEvent()
   */
  constructor(address: string, http: HttpConfiguration, isSmds = false) {
    this.address = address;
    this.#path = isSmds ? Es9Path.es11 : Es9Path.es9plus;
    this.#client = new JsonClient({ http: target(address, http) });
  }

  async initiateAuthentication(
    euiccChallenge: Uint8Array,
    euiccInfo1: Uint8Array,
  ): Promise<EimServerAuthentication> {
    this.#body
      .reset()
      .text('smdpAddress', this.address)
      .bytes('euiccChallenge', euiccChallenge)
      .bytes('euiccInfo1', euiccInfo1);
    const parts = await this.collect('initiateAuthentication', Es9Fields.initiateAuthentication);
    return {
      serverSigned1: parts.get(1),
      serverSignature1: parts.get(2),
      euiccCiPkId: new Cursor(parts.get(3)).expect(0x04).value,
      serverCertificate: parts.get(4),
      matchingId: undefined,
      ctxParams1: undefined,
    };
  }

  async authenticateClient(transactionId: Uint8Array, response: Uint8Array): Promise<EimDownloadPreparation> {
    this.#body.reset().hex('transactionId', transactionId).bytes('authenticateServerResponse', response);
    const parts = await this.collect('authenticateClient', Es9Fields.authenticateClient);
    return {
      profileMetadata: parts.get(1),
      smdpSigned2: parts.get(2),
      smdpSignature2: parts.get(3),
      smdpCertificate: parts.get(4),
      hashCc: undefined,
    };
  }

  async findEvent(transactionId: Uint8Array, response: Uint8Array): Promise<string | undefined> {
    this.#body.reset().hex('transactionId', transactionId).bytes('authenticateServerResponse', response);
    const event = new FirstEvent();
    await this.post('authenticateClient', Es9Fields.authenticateClientEs11, event);
    return event.eventId === '' ? undefined : `1$${event.address}$${event.eventId}`;
  }

  getBoundProfilePackage(transactionId: Uint8Array, response: Uint8Array, into: AnswerSink): Promise<void> {
    this.#parts.release();
    this.#body.reset().hex('transactionId', transactionId).bytes('prepareDownloadResponse', response);
    return this.post('getBoundProfilePackage', Es9Fields.getBoundProfilePackage, new Pour(into));
  }

  async cancelSession(transactionId: Uint8Array, response: Uint8Array): Promise<void> {
    this.#body.reset().hex('transactionId', transactionId).bytes('cancelSessionResponse', response);
    await this.post('cancelSession', Es9Fields.header, this.#parts);
  }

  /** @param notification PendingNotification: BF37 … or 30 … */
  async handleNotification(notification: Uint8Array): Promise<void> {
    this.#body.reset().bytes('pendingNotification', notification);
    await this.post('handleNotification', Es9Fields.header, this.#parts);
  }

  close(): void {
    this.#client.close();
    this.#parts.release();
    this.#body.reset();
  }

  private async collect(name: Es9Function, fields: readonly JsonField[]): Promise<Parts> {
    this.#parts.restart();
    // On from an empty stack (docs/design.md §4).
    await undefined;
    await this.post(name, fields, this.#parts);
    return this.#parts;
  }

  /** No async function: this one waits while a whole package passes. */
  private post(name: Es9Function, fields: readonly JsonField[], sink: JsonSink): Promise<void> {
    return this.#client.post(`${this.#path}${name}`, this.#body, fields, sink).then(undefined, refuse);
  }
}

/** What the server itself says no to is a refusal. */
function refuse(error: unknown): never {
  if (!(error instanceof Es9Error && error.code === 'failed')) throw error;
  throw new RspRefusal(error.message, CancelReason.undefinedReason, rawError(error));
}

/** Where the connection goes. */
function target(address: string, http: HttpConfiguration): HttpConfiguration & { host: string } {
  if (http.host !== undefined) return http as HttpConfiguration & { host: string };
  const colon = address.lastIndexOf(':');
  if (colon < 0) return { ...http, host: address };
  return { ...http, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** What the eIM is told of a refusal by an SM-DP+: subject and reason code as text, for example `8.2.6 3.8`. */
function rawError({ subjectCode, reasonCode }: Es9Error): Uint8Array {
  const text = `${subjectCode} ${reasonCode}`;
  const raw = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) raw[i] = text.charCodeAt(i);
  return raw;
}

/** Collects the members of an answer one behind the other. */
class Parts implements JsonSink {
  readonly #bytes = new Writer(64, PARTS_LIMIT);
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  restart(): void {
    this.#bytes.clear();
    this.#starts.length = this.#ends.length = 0;
  }

  begin(field: number): void {
    this.#starts[field] = this.#bytes.length;
  }

  data(_field: number, bytes: Uint8Array): void {
    this.#bytes.write(bytes);
  }

  end(field: number): void {
    this.#ends[field] = this.#bytes.length;
  }

  /** @throws XsIpaError when the answer had no such member */
  get(field: number): Uint8Array {
    const start = this.#starts[field];
    const end = this.#ends[field];
    if (start === undefined || end === undefined)
      throw new XsIpaError('missingMember', `the answer of the SM-DP+ lacks member ${field}`);
    return this.#bytes.bytes.subarray(start, end);
  }

  release(): void {
    this.#bytes.release();
  }
}

/** The first of the events; the others stay at the SM-DS, for the next trigger. */
class FirstEvent implements JsonSink {
  eventId = '';
  address = '';
  #isOver = false;

  data(field: number, bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (field === 1) this.eventId += utf8(bytes);
    else if (field === 2) this.address += utf8(bytes);
  }

  close(): void {
    this.#isOver ||= this.eventId !== '' && this.address !== '';
  }
}

/** Passes the package on as it comes. */
class Pour implements JsonSink {
  readonly #into: AnswerSink;

  constructor(into: AnswerSink) {
    this.#into = into;
  }

  data(field: number, bytes: Uint8Array): undefined | Promise<boolean> {
    // Member 0 is the transactionId.
    return field === 1 ? this.#into.take(bytes) : undefined;
  }
}
