import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const DAY = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate with its key, in the forms that peers want. */
export interface Identity {
  cert: string;
  der: Buffer;
  spki: Buffer;
  key: string;
  keys: webcrypto.CryptoKeyPair;
}

export interface IdentityOptions {
  ca?: boolean;
  /** Days from `now` to the beginning; it is valid for two. */
  from?: number;
  now?: number;
  issuer?: Identity;
  /** By its extended key usage; for anything when absent. */
  isClient?: boolean;
}

export async function identity(name: string, options: IdentityOptions = {}): Promise<Identity> {
  const { ca = false, from = -1, now = Date.now(), issuer, isClient = false } = options;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: `CN=${name}`,
    issuer: issuer ? new x509.X509Certificate(issuer.cert).subject : `CN=${name}`,
    notBefore: new Date(now + from * DAY),
    notAfter: new Date(now + (from + 2) * DAY),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      ...(isClient ? [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])] : []),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    cert: certificate.toString('pem'),
    der: Buffer.from(certificate.rawData),
    spki: Buffer.from(certificate.publicKey.rawData),
    key: `-----BEGIN PRIVATE KEY-----\n${key.toString('base64')}\n-----END PRIVATE KEY-----\n`,
    keys,
  };
}
