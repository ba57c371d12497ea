import { XsIpaError } from '../../hal/contracts/index.js';
import { type TlsTrust, trustOf } from '../../hal/node/trust.js';
import { HELLO, TrustKind } from './wire.js';

/** What a device says before it is spoken to in TLS or DTLS: the server's name, and whom it trusts as that. */
export interface Hello {
  name: string;
  kind: number;
  /** DER. */
  trusted: Uint8Array[];
}

/**
 * Reads what a connection begins with (wire.ts).
 * @returns it and its length; undefined while it is not there whole
 * @throws XsIpaError `badTrust` for what no device says
 */
export function readHello(bytes: Uint8Array): { hello: Hello; length: number } | undefined {
  if (bytes.length > 0 && bytes[0] !== HELLO)
    throw new XsIpaError('badTrust', 'the device does not say whom it trusts');
  if (bytes.length < 3) return undefined;
  const kind = bytes[1];
  if (kind > TrustKind.roots)
    throw new XsIpaError('badTrust', `the device trusts in the unknown way ${kind}`);
  let at = 3 + bytes[2];
  if (bytes.length <= at) return undefined;
  const name = Buffer.from(bytes.subarray(3, at)).toString('latin1');
  const trusted: Uint8Array[] = [];
  for (let left = bytes[at++]; left > 0; left--) {
    if (bytes.length < at + 2) return undefined;
    const end = at + 2 + bytes[at] * 256 + bytes[at + 1];
    if (bytes.length < end) return undefined;
    trusted.push(bytes.slice(at + 2, end));
    at = end;
  }
  return { hello: { name, kind, trusted }, length: at };
}

/** @throws XsIpaError `badTrust` for what is no certificate */
export function trustOfHello({ kind, trusted }: Hello): TlsTrust {
  if (kind === TrustKind.system) return { roots: 'system' };
  if (kind === TrustKind.roots) return { roots: trusted };
  const [der = new Uint8Array(0)] = trusted;
  try {
    return trustOf(kind === TrustKind.publicKey ? 'publicKey' : 'certificate', der);
  } catch (cause) {
    throw new XsIpaError('badTrust', 'the device trusts a certificate that cannot be read', { cause });
  }
}
