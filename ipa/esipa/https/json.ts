import { XsIpaError } from '../../../hal/contracts/index.js';
import { JsonBody } from '../../es9/json-body.js';
import { Json, type JsonField, JsonReader } from '../../es9/json-reader.js';
import { HEADER_FIELDS } from '../../es9/messages.js';
import { digits, utf8 } from '../../text.js';
import { Cursor, lengthOfLength, Writer } from '../../tlv/index.js';
import { EsipaTag } from '../tags.js';
import type { EsipaBinding } from './binding.js';

/** Paths of the functions; `esipa` and the function's name (esipa.md §8). */
const PATH = '/gsma/rsp2/esipa/';

// Members of the answers, in the order of their elements in ASN.1; each is the whole TLV, but for texts.
const AUTHENTICATION = [
  { path: ['transactionId'], kind: 'text' },
  { path: ['serverSigned1'], kind: 'base64' },
  { path: ['serverSignature1'], kind: 'base64' },
  { path: ['euiccCiPKIdentifierToBeUsed'], kind: 'base64' },
  { path: ['serverCertificate'], kind: 'base64' },
  { path: ['matchingId'], kind: 'text' },
  { path: ['ctxParams1'], kind: 'base64' },
] as const;
const CLIENT = [
  { path: ['transactionId'], kind: 'text' },
  { path: ['profileMetadata'], kind: 'base64' },
  { path: ['smdpSigned2'], kind: 'base64' },
  { path: ['smdpSignature2'], kind: 'base64' },
  { path: ['smdpCertificate'], kind: 'base64' },
  { path: ['hashCc'], kind: 'base64' },
  { path: ['profileDownloadTrigger'], kind: 'base64' },
] as const;
const PACKAGE = [{ path: ['boundProfilePackage'], kind: 'base64' }] as const;
const POLL = [
  { path: ['euiccPackageRequest'], kind: 'base64' },
  { path: ['ipaEuiccDataRequest'], kind: 'base64' },
  { path: ['profileDownloadTriggerRequest'], kind: 'base64' },
  { path: ['eimPackageError'], kind: 'text' },
] as const;
const RESULT = [
  { path: ['eimAcknowledgements'], kind: 'base64' },
  { path: ['provideEimPackageResultError'], kind: 'text' },
] as const;
const NONE = [] as const;

/** Of the members of an answer together, and of a text of its header. */
const ANSWER_LIMIT = 16_384;
const TEXT_LIMIT = 64;
const UNDEFINED_ERROR = 127;

/**
 * JSON binding (esipa.md §8). Requests are put into JSON while they are sent; of an answer the members are held, but a Bound
 * Profile Package passes through.
 */
export class JsonBinding implements EsipaBinding {
  readonly contentType = 'application/json;charset=UTF-8';
  path = '';
  fault: string | undefined;

  readonly #body = new JsonBody();
  readonly #out = new Uint8Array(128);
  /** The members of an answer one behind the other, and the answer in ASN.1. */
  readonly #parts = new Writer(64, ANSWER_LIMIT);
  readonly #answer = new Writer(64, ANSWER_LIMIT + 64);
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** status, subjectCode, reasonCode, message. */
  readonly #header: string[] = [];
  #reader: JsonReader | undefined;
  #tag = 0;
  #wasFed = false;
  /** Of a Bound Profile Package: its own header is complete, and what stood behind it in the same piece. */
  #isPassing = false;
  #rest: Uint8Array | undefined;

  get length(): number {
    return this.#body.length;
  }

  begin(request: Uint8Array): void {
    this.release();
    const cursor = new Cursor(request);
    cursor.next();
    this.#tag = cursor.tag;
    cursor.enter();
    let fields: readonly JsonField[] = NONE;
    let name = '';
    switch (this.#tag) {
      case EsipaTag.getEimPackage:
        name = 'getEimPackage';
        fields = POLL;
        this.poll(cursor);
        break;
      case EsipaTag.provideEimPackageResult:
        name = 'provideEimPackageResult';
        fields = RESULT;
        if (cursor.next() && cursor.is(0x5a)) {
          this.#body.text('eidValue', digits(cursor.value));
          cursor.next();
        }
        this.#body.bytes('eimPackageResult', cursor.element);
        break;
      case EsipaTag.handleNotification:
        name = 'handleNotification';
        cursor.next();
        if (cursor.is(0xa0)) this.#body.bytes('pendingNotification', cursor.value);
        else this.#body.bytes('provideEimPackageResult', cursor.element);
        break;
      case EsipaTag.initiateAuthentication:
        name = 'initiateAuthentication';
        fields = AUTHENTICATION;
        this.authentication(cursor);
        break;
      case EsipaTag.authenticateClient:
        name = 'authenticateClient';
        fields = CLIENT;
        this.session(cursor, 'authenticateServerResponse');
        break;
      case EsipaTag.getBoundProfilePackage:
        name = 'getBoundProfilePackage';
        fields = PACKAGE;
        this.session(cursor, 'prepareDownloadResponse');
        break;
      case EsipaTag.cancelSession:
        name = 'cancelSession';
        this.session(cursor, 'cancelSessionResponse');
        break;
      default:
        throw new XsIpaError('usage', `the JSON binding has no function ${this.#tag.toString(16)}`);
    }
    this.path = PATH + name;
    this.#reader = new JsonReader([...HEADER_FIELDS, ...fields], this.#out);
  }

  read(into: Uint8Array): number {
    return this.#body.read(into);
  }

  feed(piece: Uint8Array): void {
    this.#wasFed = true;
    this.#reader?.feed(piece);
  }

  next(): Uint8Array | undefined {
    const reader = this.#reader;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest) return rest;
    if (!reader) return undefined;
    for (let found = reader.next(); found !== Json.nothing; found = reader.next()) {
      const index = reader.field - HEADER_FIELDS.length;
      if (index < 0) this.headerFound(found, reader);
      else if (found === Json.begin) this.#starts[index] = this.#parts.length;
      else if (found === Json.end) this.#ends[index] = this.#parts.length;
      else if (found === Json.data && reader.data) {
        const passing = this.found(reader.data);
        if (passing) return passing;
      }
    }
    return undefined;
  }

  finish(): Uint8Array | undefined {
    if (!this.#wasFed) return undefined;
    this.#reader?.finish();
    const [status = '', subjectCode = '', reasonCode = '', message = ''] = this.#header;
    if (status === '') throw new XsIpaError('noStatus', 'the answer has no functionExecutionStatus');
    // Executed-Success and Executed-WithWarning.
    const failed = status.slice(0, 8) !== 'Executed';
    if (failed) this.fault = `${status}: ${subjectCode} ${reasonCode} ${message}`;
    if (this.#tag === EsipaTag.handleNotification) {
      if (failed) throw new XsIpaError('failed', `it says ${this.fault}`);
      return undefined;
    }
    if (this.#isPassing) {
      if (failed) throw new XsIpaError('failed', `it says ${this.fault}`);
      return undefined;
    }
    const to = this.#answer;
    to.clear().begin(this.#tag);
    if (failed) this.writeFailure(to);
    else this.writeAnswer(to);
    return to.end().bytes;
  }

  release(): void {
    this.#body.reset();
    this.#parts.release();
    this.#answer.release();
    this.#starts.length = this.#ends.length = this.#header.length = 0;
    this.#reader = this.#rest = this.fault = undefined;
    this.#wasFed = this.#isPassing = false;
  }

  // Requests --------------------------------------------------------------------------------------------------------

  private poll(cursor: Cursor): void {
    const body = this.#body;
    while (cursor.next()) {
      if (cursor.is(0x5a)) body.text('eidValue', digits(cursor.value));
      else if (cursor.is(0x80)) body.value('notifyStateChange', true);
      else if (cursor.is(0x81)) body.value('stateChangeCause', cursor.integer());
      else if (cursor.is(0x82)) body.bytes('rPlmn', cursor.value);
    }
  }

  private authentication(cursor: Cursor): void {
    const body = this.#body;
    while (cursor.next()) {
      if (cursor.is(0x81)) body.bytes('euiccChallenge', cursor.value);
      else if (cursor.is(0x83)) body.text('smdpAddress', utf8(cursor.value));
      else if (cursor.is(0x82)) body.hex('eimTransactionId', cursor.value);
      else body.bytes('euiccInfo1', cursor.element);
    }
  }

  /** 80 transactionId, and what the eUICC says. */
  private session(cursor: Cursor, member: string): void {
    this.#body.hex('transactionId', cursor.expect(0x80).value);
    cursor.next();
    if (!cursor.is(0xa1)) {
      this.#body.bytes(member, cursor.element);
      return;
    }
    // In place of the eUICC's own tag, for which ASN.1 has no room (esipa.md §6).
    const { value } = cursor;
    const response = new Writer(value.length + 7);
    response.header(EsipaTag.cancelSession, value.length).write(value);
    this.#body.bytes(member, response.detach());
  }

  // Answers ---------------------------------------------------------------------------------------------------------

  private headerFound(found: Json, { field, data }: JsonReader): void {
    if (found === Json.begin) this.#header[field] = '';
    else if (found === Json.data && data && field >= 0 && this.#header[field].length < TEXT_LIMIT)
      this.#header[field] += utf8(data);
  }

  private found(data: Uint8Array): Uint8Array | undefined {
    if (this.#isPassing) return data;
    this.#parts.write(data);
    if (this.#tag !== EsipaTag.getBoundProfilePackage) return undefined;
    // BF3A {A0 {BF36 …}}: lengths come first, and the package's own header has the one they follow from.
    const { bytes } = this.#parts;
    const more = bytes.length > 2 && bytes[2] > 0x80 ? bytes[2] & 0x7f : 0;
    if (more > 4) throw new XsIpaError('protocol', 'the Bound Profile Package has no readable length');
    if (bytes.length < 3 + more) return undefined;
    let length = more === 0 ? bytes[2] : 0;
    for (let i = 0; i < more; i++) length = length * 256 + bytes[3 + i];
    const inner = 3 + more + length;
    this.#answer.clear().header(this.#tag, 1 + lengthOfLength(inner) + inner);
    this.#answer.header(0xa0, inner).write(bytes);
    this.#parts.release();
    this.#isPassing = true;
    return this.#answer.bytes;
  }

  private writeFailure(to: Writer): void {
    if (this.#tag === EsipaTag.getEimPackage || this.#tag === EsipaTag.provideEimPackageResult)
      to.integer(0x02, UNDEFINED_ERROR);
    else to.integer(this.#tag === EsipaTag.authenticateClient ? 0x82 : 0x81, UNDEFINED_ERROR);
  }

  private writeAnswer(to: Writer): void {
    switch (this.#tag) {
      case EsipaTag.getEimPackage: {
        const body = this.part(0) ?? this.part(1) ?? this.part(2);
        if (body) to.write(body);
        else to.integer(0x02, codeOf(this.need(3)));
        return;
      }
      case EsipaTag.provideEimPackageResult: {
        const error = this.part(1);
        const acknowledgements = this.part(0);
        if (acknowledgements) to.write(acknowledgements);
        else if (error) to.integer(0x02, codeOf(error));
        else to.primitive(0x30);
        return;
      }
      case EsipaTag.initiateAuthentication: {
        to.begin(0xa0).write(this.need(1));
        octets(to, 0x5f37, this.need(2));
        octets(to, 0x04, this.need(3));
        to.write(this.need(4));
        const matchingId = this.part(5);
        if (matchingId) to.primitive(0x0c, matchingId);
        const ctxParams1 = this.part(6);
        if (ctxParams1) to.begin(0xa2).write(ctxParams1);
        if (ctxParams1) to.end();
        to.end();
        return;
      }
      case EsipaTag.authenticateClient:
        this.writeClient(to);
        return;
      case EsipaTag.cancelSession:
        to.primitive(0xa0);
        return;
    }
    throw new XsIpaError('missingMember', 'the answer has no Bound Profile Package');
  }

  private writeClient(to: Writer): void {
    if (!this.part(2)) {
      // Of an SM-DS; nobody reads its transactionId.
      const trigger = this.part(6);
      to.begin(0xa1);
      if (trigger) to.write(trigger);
      to.end();
      return;
    }
    const metadata = this.part(1);
    to.begin(0xa0);
    if (metadata) to.write(metadata);
    to.write(this.need(2));
    octets(to, 0x5f37, this.need(3));
    to.write(this.need(4));
    const hashCc = this.part(5);
    if (hashCc) octets(to, 0x04, hashCc);
    to.end();
  }

  private part(index: number): Uint8Array | undefined {
    const start = this.#starts[index];
    const end = this.#ends[index];
    // An empty one is as good as none.
    return start === undefined || end === undefined || start === end
      ? undefined
      : this.#parts.bytes.subarray(start, end);
  }

  private need(index: number): Uint8Array {
    const part = this.part(index);
    if (!part) throw new XsIpaError('missingMember', `the answer of ${this.path} lacks member ${index}`);
    return part;
  }
}

/** An octet string as a TLV, whether it came as one or not: both are met (esipa.md §8). */
function octets(to: Writer, tag: number, value: Uint8Array): void {
  const at = tag > 0xff ? 2 : 1;
  const first = tag > 0xff ? (value[0] << 8) | value[1] : value[0];
  if (first === tag && value[at] === value.length - at - 1) to.write(value);
  else to.primitive(tag, value);
}

/** A number that stands in an answer. */
function codeOf(text: Uint8Array): number {
  const value = Number(utf8(text));
  return Number.isInteger(value) && value >= 0 && value <= UNDEFINED_ERROR ? value : UNDEFINED_ERROR;
}
