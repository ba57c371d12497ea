import { Reader, uint, uints, vector } from './bytes.js';
import { DtlsError } from './error.js';

const Extension = {
  serverName: 0,
  groups: 10,
  pointFormats: 11,
  signatures: 13,
  serverCertificateType: 20,
  extendedMasterSecret: 23,
  connectionId: 54,
  renegotiationInfo: 0xff01,
} as const;
/** Form of a server's certificate (RFC 7250 §3). */
export const CertificateType = { x509: 0, rawPublicKey: 2 } as const;
/** Stands for the extension of that name. */
const RENEGOTIATION_SCSV = 0x00ff;
const VERSION = 0xfefd;
const PROTOCOL_VERSION = 70;

/** What both hellos may have; connectionId is what the sender wants to see in records to it. */
interface Extensions {
  extendedMasterSecret: boolean;
  renegotiationInfo: boolean;
  connectionId: Buffer | undefined;
}

export interface ClientHello extends Extensions {
  random: Buffer;
  cookie: Buffer;
  suites: number[];
  /** SNI: whom it wants to reach. */
  serverName?: string;
  /** Curves for key agreement (RFC 8422 §5.1.1), and pairs of hash and signature; absent where the client says none. */
  groups?: number[];
  signatures?: number[];
  /** {@link CertificateType}s it takes from the server, best first. */
  certificateTypes?: number[];
}

export interface ServerHello extends Extensions {
  random: Buffer;
  suite: number;
  /** {@link CertificateType} of what follows; X.509 when absent. */
  certificateType?: number;
}

type Parts = [type: number, content: Uint8Array][];

function common({ extendedMasterSecret, renegotiationInfo, connectionId }: Extensions): Parts {
  const parts: Parts = [];
  if (renegotiationInfo) parts.push([Extension.renegotiationInfo, Buffer.from([0])]);
  if (extendedMasterSecret) parts.push([Extension.extendedMasterSecret, Buffer.alloc(0)]);
  if (connectionId) parts.push([Extension.connectionId, vector(connectionId, 1)]);
  return parts;
}

function writeExtensions(parts: Parts): Buffer {
  if (parts.length === 0) return Buffer.alloc(0);
  const all = parts.map(([type, content]) => Buffer.concat([uint(type, 2), vector(content, 2)]));
  return vector(Buffer.concat(all), 2);
}

/** Reads what both have, and hands the rest on. */
function readExtensions(reader: Reader, other: (type: number, content: Reader) => void): Extensions {
  const found: Extensions = {
    extendedMasterSecret: false,
    renegotiationInfo: false,
    connectionId: undefined,
  };
  if (reader.left === 0) return found;
  const list = new Reader(reader.vector(2));
  while (list.left > 0) {
    const type = list.uint(2);
    const content = new Reader(list.vector(2));
    if (type === Extension.extendedMasterSecret) found.extendedMasterSecret = true;
    else if (type === Extension.renegotiationInfo) found.renegotiationInfo = true;
    else if (type === Extension.connectionId) found.connectionId = Buffer.from(content.vector(1));
    else other(type, content);
  }
  return found;
}

export function writeClientHello(hello: ClientHello): Buffer {
  const { random, cookie, suites, serverName, groups, signatures, certificateTypes } = hello;
  const parts = common(hello);
  if (serverName !== undefined) {
    const entry = Buffer.concat([Buffer.from([0]), vector(Buffer.from(serverName, 'latin1'), 2)]);
    parts.push([Extension.serverName, vector(entry, 2)]);
  }
  // Points are sent uncompressed.
  if (groups)
    parts.push([Extension.groups, uints(groups, 2, 2)], [Extension.pointFormats, Buffer.from([1, 0])]);
  if (signatures) parts.push([Extension.signatures, uints(signatures, 2, 2)]);
  if (certificateTypes) parts.push([Extension.serverCertificateType, uints(certificateTypes, 1, 1)]);
  return Buffer.concat([
    uint(VERSION, 2),
    random,
    vector(Buffer.alloc(0), 1),
    vector(cookie, 1),
    uints(suites, 2, 2),
    vector(Buffer.from([0]), 1),
    writeExtensions(parts),
  ]);
}

/** @throws DtlsError 'protocol' */
export function readClientHello(body: Buffer): ClientHello {
  const reader = new Reader(body);
  // Minor numbers run downwards: fefd is 1.2, feff 1.0.
  if (reader.uint(2) > VERSION)
    throw new DtlsError('protocol', 'the client does not speak DTLS 1.2', PROTOCOL_VERSION);
  const random = Buffer.from(reader.bytes(32));
  reader.vector(1);
  const cookie = Buffer.from(reader.vector(1));
  const suites = reader.uints(2, 2);
  reader.vector(1);
  const more: Pick<ClientHello, 'serverName' | 'groups' | 'signatures' | 'certificateTypes'> = {};
  const both = readExtensions(reader, (type, content) => {
    if (type === Extension.serverName) more.serverName = nameIn(new Reader(content.vector(2)));
    else if (type === Extension.groups) more.groups = content.uints(2, 2);
    else if (type === Extension.signatures) more.signatures = content.uints(2, 2);
    else if (type === Extension.serverCertificateType) more.certificateTypes = content.uints(1, 1);
  });
  if (suites.includes(RENEGOTIATION_SCSV)) both.renegotiationInfo = true;
  return { random, cookie, suites, ...both, ...more };
}

function nameIn(list: Reader): string | undefined {
  while (list.left > 0) {
    const type = list.uint(1);
    const name = list.vector(2);
    if (type === 0) return name.toString('latin1');
  }
  return undefined;
}

export function writeServerHello(hello: ServerHello): Buffer {
  const { random, suite, certificateType } = hello;
  const parts = common(hello);
  if (certificateType !== undefined)
    parts.push([Extension.serverCertificateType, Buffer.from([certificateType])]);
  return Buffer.concat([
    uint(VERSION, 2),
    random,
    vector(Buffer.alloc(0), 1),
    uint(suite, 2),
    Buffer.from([0]),
    writeExtensions(parts),
  ]);
}

/** @throws DtlsError 'protocol' */
export function readServerHello(body: Buffer): ServerHello {
  const reader = new Reader(body);
  if (reader.uint(2) !== VERSION)
    throw new DtlsError('protocol', 'the server does not speak DTLS 1.2', PROTOCOL_VERSION);
  const random = Buffer.from(reader.bytes(32));
  reader.vector(1);
  const suite = reader.uint(2);
  if (reader.uint(1) !== 0) throw new DtlsError('protocol', 'the server wants to compress');
  let certificateType: number | undefined;
  const both = readExtensions(reader, (type, content) => {
    if (type === Extension.serverCertificateType) certificateType = content.uint(1);
  });
  return { random, suite, ...both, ...(certificateType !== undefined && { certificateType }) };
}

export function writeHelloVerify(cookie: Uint8Array): Buffer {
  // RFC 6347 §4.2.1: 1.0, whatever will be agreed on.
  return Buffer.concat([uint(0xfeff, 2), vector(cookie, 1)]);
}

/** The cookie. @throws DtlsError 'protocol' */
export function readHelloVerify(body: Buffer): Buffer {
  const reader = new Reader(body);
  reader.uint(2);
  return Buffer.from(reader.vector(1));
}
