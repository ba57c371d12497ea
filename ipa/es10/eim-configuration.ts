import { Es10Error, IpaError } from '../error.js';
import { utf8 } from '../text.js';
import { type Cursor, Writer } from '../tlv/index.js';
import type { Es10 } from './es10.js';
import { Deadline, Es10Tag, INCORRECT_DATA } from './tags.js';

/** Bits of eimSupportedProtocol and ipaSupportedProtocols (esipa.md §3.2). */
export const Protocol = {
  retrieveHttps: 0,
  retrieveCoaps: 1,
  injectHttps: 2,
  injectCoaps: 3,
  proprietary: 4,
} as const;

/** What the IPA uses of an associated eIM's configuration (esipa.md §5.3). */
export interface EimConfiguration {
  eimId: string;
  eimFqdn: string | undefined;
  /** First octet of eimSupportedProtocol, bit 0 in its most significant bit. Only proprietary where not given. */
  protocols: number;
  indirectProfileDownload: boolean;
  /**
   * A number that is another one when the way to this eIM is: of its eimFqdn, eimSupportedProtocol, and
   * trustedPublicKeyDataTls.
   */
  way: number;
  /**
   * trustedPublicKeyDataTls, for whoever makes the link: it is gone afterwards. Undefined where the configuration has none, or
   * no link that this device has needs it.
   */
  trustedTls: TrustedTls | undefined;
}

/** Whom to trust as this eIM: a SubjectPublicKeyInfo, or a certificate, of the eIM or of its CA; whole DER (esipa.md §7). */
export interface TrustedTls {
  kind: 'publicKey' | 'certificate';
  der: Uint8Array;
}

/** Does the eIM support `protocol`, a value of {@link Protocol}? */
export function supports(eim: EimConfiguration, protocol: number): boolean {
  return (eim.protocols & (0x80 >> protocol)) !== 0;
}

/**
 * GetEimConfigurationData, BF55: every associated eIM (es10.md §4.6).
 * @param withTls trustedPublicKeyDataTls is wanted, which may be a whole certificate
 */
export function getEimConfigurationData(es10: Es10, withTls = false): Promise<EimConfiguration[]> {
  es10.request.clear().primitive(Es10Tag.getEimConfigurationData);
  return es10.run(withTls ? readWithTls : readWithoutTls);
}

function readWithTls(answer: Cursor): EimConfiguration[] {
  return readEimConfigurations(answer, true);
}

function readWithoutTls(answer: Cursor): EimConfiguration[] {
  return readEimConfigurations(answer, false);
}

function readEimConfigurations(answer: Cursor, withTls: boolean): EimConfiguration[] {
  const found: EimConfiguration[] = [];
  if (!answer.enter().nextIs(0xa0)) return found;
  answer.enter();
  while (answer.next()) if (answer.is(0x30)) found.push(readEimConfiguration(answer, withTls));
  return found;
}

/** associationToken of one eIM as the TLV `84 L value`, a copy; undefined when it has none. */
export function getAssociationToken(es10: Es10, eimId: string): Promise<Uint8Array | undefined> {
  es10.request.clear().begin(Es10Tag.getEimConfigurationData).begin(0xa0).ascii(0x80, eimId).end().end();
  return es10.run(readAssociationToken);
}

function readAssociationToken(answer: Cursor): Uint8Array | undefined {
  if (!answer.enter().nextIs(0xa0)) return undefined;
  answer.enter();
  if (!answer.nextIs(0x30)) return undefined;
  return answer.enter().find(0x84) ? answer.element.slice() : undefined;
}

/**
 * AddInitialEim, BF57: associates the first eIM; only while the eUICC has none (es10.md §4.6).
 * @param configuration one EimConfigurationData, `30 …`
 * @returns the generated associationToken, undefined when none was asked for
 * @throws IpaError `associationRefused`, `result`: 1 insufficientMemory, 2 associatedEimAlreadyExists, 3 ciPKUnknown,
 *   5 invalidAssociationToken, 6 counterValueOutOfRange, 7 commandError, 127; undefined when the eUICC cannot read it
 */
export async function addInitialEim(es10: Es10, configuration: Uint8Array): Promise<number | undefined> {
  es10.request.clear().begin(Es10Tag.addInitialEim).begin(0xa0).write(configuration);
  es10.request.end().end();
  const answer = await call(es10);
  es10.request.release();
  if (!answer.enter().next()) throw new IpaError('unexpectedAnswer', 'AddInitialEim gave no result');
  if (answer.is(0x81)) {
    const code = answer.integer();
    throw new IpaError('associationRefused', `the eUICC refused AddInitialEim with ${code}`, code);
  }
  return answer.enter().find(0x84) ? answer.integer() : undefined;
}

async function call(es10: Es10): Promise<Cursor> {
  try {
    return await es10.call(es10.request.bytes, Deadline.signing);
  } catch (error) {
    if (!(error instanceof Es10Error) || error.sw !== INCORRECT_DATA) throw error;
    throw new IpaError(
      'associationRefused',
      'the eUICC cannot read the eIM configuration that AddInitialEim gave it (6A80); provide another one',
    );
  }
}

function readEimConfiguration(cursor: Cursor, withTls: boolean): EimConfiguration {
  const found: EimConfiguration = {
    eimId: '',
    eimFqdn: undefined,
    protocols: 0x80 >> Protocol.proprietary,
    indirectProfileDownload: false,
    way: 0,
    trustedTls: undefined,
  };
  cursor.enter();
  while (cursor.next()) {
    if (cursor.is(0x80)) found.eimId = utf8(cursor.value);
    else if (cursor.is(0x81)) found.eimFqdn = utf8(cursor.value);
    else if (cursor.is(0x87)) found.protocols = cursor.length > 1 ? cursor.value[1] : 0;
    else if (cursor.is(0x89)) found.indirectProfileDownload = true;
    if (cursor.is(0x81) || cursor.is(0x87) || cursor.is(0xa6)) found.way = mixed(found.way, cursor.element);
    if (withTls && cursor.is(0xa6)) found.trustedTls = readTrustedTls(cursor);
  }
  cursor.leave();
  return found;
}

/** A6 {A0 contents of a SubjectPublicKeyInfo | A1 contents of a Certificate} (esipa.md §5.3). */
function readTrustedTls(cursor: Cursor): TrustedTls | undefined {
  cursor.enter();
  const kind = !cursor.next()
    ? undefined
    : cursor.is(0xa0)
      ? 'publicKey'
      : cursor.is(0xa1)
        ? 'certificate'
        : undefined;
  const der = kind && sequence(cursor);
  cursor.leave();
  return kind && der ? { kind, der } : undefined;
}

/** A copy of the value at hand with its SEQUENCE around it; some write it all the same. */
function sequence(cursor: Cursor): Uint8Array {
  const { value } = cursor;
  const whole = cursor.enter().nextIs(0x30) && cursor.element.length === value.length;
  cursor.leave();
  if (whole) return value.slice();
  const to = new Writer(value.length + 5);
  to.header(0x30, value.length).write(value);
  return to.detach();
}

/** FNV-1a, 32 bits. */
function mixed(before: number, bytes: Uint8Array): number {
  let hash = before === 0 ? -2128831035 : before;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
  return hash;
}
