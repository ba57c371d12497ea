import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sameBytes } from '../bytes.js';
import {
  alternativeName,
  attributeOf,
  authorityKeyId,
  type Certificate,
  isCa,
  oids,
  parseCertificate,
  policiesOf,
  rolePrefix,
  subjectKeyId,
} from './certificate.js';
import { PkiError } from './error.js';
import { pkcs8, readPrivateKey, scalarOf } from './keys.js';
import { publicPoint } from './signature.js';
import type { Credential, EimCredentials, Pki, ServerNames, SmdsCredentials } from './types.js';
import { isChainProblem, verifyEuiccChain } from './verify.js';
import { PemConverter } from './x509.js';

/** Writes PEM files: every certificate, and the keys of eUICC and eIMs (PKCS#8, readable by the owner only). */
export function savePki(dir: string, pki: Pki): void {
  mkdirSync(dir, { recursive: true });
  const write = (name: string, label: string, der: Uint8Array, mode = 0o644) =>
    writeFileSync(join(dir, name), pem(label, der), { mode });
  pki.ciCertificates.forEach((ci, i) => {
    write(i ? `ci-${i + 1}.crt.pem` : 'ci.crt.pem', 'CERTIFICATE', ci);
  });
  write('eum.crt.pem', 'CERTIFICATE', pki.euicc.eumCertificate);
  write('euicc.crt.pem', 'CERTIFICATE', pki.euicc.certificate);
  write('euicc.key.pem', 'PRIVATE KEY', pkcs8(pki.euicc.privateKey), 0o600);
  if (pki.ci) write('ci.key.pem', 'PRIVATE KEY', pkcs8(pki.ci.privateKey), 0o600);
  const both = (name: string, { certificate, privateKey }: Credential) => {
    write(`${name}.crt.pem`, 'CERTIFICATE', certificate);
    write(`${name}.key.pem`, 'PRIVATE KEY', pkcs8(privateKey), 0o600);
  };
  pki.smdps.forEach(({ auth, pb, tls }, i) => {
    both(`smdp-${i + 1}-auth`, auth);
    both(`smdp-${i + 1}-pb`, pb);
    both(`smdp-${i + 1}-tls`, tls);
  });
  pki.smdss.forEach(({ auth, tls }, i) => {
    both(`smds-${i + 1}-auth`, auth);
    both(`smds-${i + 1}-tls`, tls);
  });
  pki.eims.forEach((eim, i) => {
    write(`eim-${i + 1}.crt.pem`, 'CERTIFICATE', eim.certificate);
    write(`eim-${i + 1}.key.pem`, 'PRIVATE KEY', pkcs8(eim.privateKey), 0o600);
  });
}

interface Found<T> {
  file: string;
  value: T;
}

/**
 * Reads a folder of PEM or DER files. What a file is follows from its content: policies, key identifiers and which key
 * fits which certificate; names do not matter. An SM-DP+ or SM-DS without all its certificates and keys is left alone,
 * files that are neither certificates nor keys too.
 *
 * @throws PkiError with the file and what is wrong with it
 */
export function loadPki(dir: string): Pki {
  const certificates: Found<Certificate>[] = [];
  const keys: Found<Uint8Array>[] = [];
  let names: string[];
  try {
    names = readdirSync(dir, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (cause) {
    throw new PkiError('incomplete', `${dir} is not a folder that can be read`, { cause });
  }
  for (const file of names) sortOut(file, readFileSync(join(dir, file)), certificates, keys);

  const role = (id: string) => certificates.filter(({ value }) => policiesOf(value).includes(id));
  const cis = role(oids.roleCi);
  const eums = role(oids.roleEum);
  const euicc = only(role(oids.roleEuicc), 'eUICC certificate (policy id-rspRole-euicc)', dir);
  if (cis.length === 0)
    throw new PkiError('incomplete', `${dir} has no CI certificate (policy id-rspRole-ci)`);

  for (const key of keys) {
    if (!certificates.some(({ value }) => fits(key.value, value))) {
      throw new PkiError('incomplete', `${key.file} does not belong to any certificate in ${dir}`);
    }
  }
  const keyOf = (certificate: Found<Certificate>) =>
    keys.find((key) => fits(key.value, certificate.value))?.value;

  const issuer = authorityKeyId(euicc.value);
  const eum = eums.find(({ value }) => sameBytes(subjectKeyId(value), issuer));
  if (!eum)
    throw new PkiError('incomplete', `${dir} has no EUM certificate with the key that ${euicc.file} names`);
  const privateKey = keyOf(euicc);
  if (!privateKey) throw new PkiError('incomplete', `${dir} has no private key for ${euicc.file}`);
  const eid = eidOf(euicc);
  const ciCertificates = cis.map(({ value }) => value.der);
  try {
    verifyEuiccChain({ euicc: euicc.value.der, eum: eum.value.der, cis: ciCertificates, eid });
  } catch (cause) {
    if (!isChainProblem(cause)) throw cause;
    throw new PkiError('incomplete', `the chain of ${euicc.file} and ${eum.file} fails: ${cause.message}`, {
      cause,
    });
  }

  const eims: EimCredentials[] = [];
  for (const candidate of certificates) {
    // An eIM has no role policy; a CA next to it is the issuer of an eIM certificate, not an eIM.
    if (policiesOf(candidate.value).some((id) => id.startsWith(rolePrefix)) || isCa(candidate.value))
      continue;
    const key = keyOf(candidate);
    if (!key)
      throw new PkiError('incomplete', `${dir} has no private key for the eIM certificate ${candidate.file}`);
    eims.push(eimOf(candidate, key));
  }
  const ciKeyId = authorityKeyId(eum.value)!;
  const ciKey = keyOf(cis[0]);
  return {
    ciCertificates,
    euicc: { eid, privateKey, certificate: euicc.value.der, eumCertificate: eum.value.der, ciKeyId },
    eims,
    ...(ciKey && { ci: { privateKey: ciKey, certificate: ciCertificates[0] } }),
    ...serversOf(certificates, keyOf),
  };
}

/** SM-DP+ and SM-DS of the folder: those of which all certificates and keys are there, by their registeredID. */
function serversOf(
  certificates: Found<Certificate>[],
  keyOf: (certificate: Found<Certificate>) => Uint8Array | undefined,
): Pick<Pki, 'smdps' | 'smdss'> {
  const find = (role: string, oid?: string) =>
    certificates.flatMap((found): (Credential & ServerNames & { ciKeyId: Uint8Array })[] => {
      const privateKey = keyOf(found);
      const id = alternativeName(found.value, 'id');
      const ciKeyId = authorityKeyId(found.value);
      if (!policiesOf(found.value).includes(role) || !privateKey || !id || !ciKeyId) return [];
      if (oid !== undefined && id !== oid) return [];
      const address = alternativeName(found.value, 'dns') ?? '';
      return [{ privateKey, certificate: found.value.der, oid: id, address, ciKeyId }];
    });
  const credential = ({ privateKey, certificate }: Credential): Credential => ({ privateKey, certificate });
  const servers = (authRole: string, tlsRole: string): SmdsCredentials[] =>
    find(authRole).flatMap((auth) => {
      const tls = find(tlsRole, auth.oid).at(0);
      if (!tls) return [];
      const { oid, ciKeyId } = auth;
      return [{ oid, ciKeyId, address: tls.address, auth: credential(auth), tls: credential(tls) }];
    });
  return {
    smdps: servers(oids.roleDpAuth, oids.roleDpTls).flatMap((server) => {
      const pb = find(oids.roleDpPb, server.oid).at(0);
      return pb ? [{ ...server, pb: credential(pb) }] : [];
    }),
    smdss: servers(oids.roleDsAuth, oids.roleDsTls),
  };
}

function sortOut(
  file: string,
  content: Buffer,
  certificates: Found<Certificate>[],
  keys: Found<Uint8Array>[],
): void {
  try {
    const blocks = PemConverter.decodeWithHeaders(content.toString('latin1'));
    for (const { type, headers, rawData } of blocks) {
      const der = new Uint8Array(rawData);
      if (type.endsWith('CERTIFICATE')) certificates.push({ file, value: parseCertificate(der) });
      else if (type.startsWith('ENCRYPTED') || headers.some(({ value }) => value.includes('ENCRYPTED'))) {
        throw new PkiError('malformed', 'the key is encrypted; store it without a passphrase');
      } else if (type.endsWith('PRIVATE KEY')) keys.push({ file, value: scalarOf(readPrivateKey(der)) });
    }
    if (blocks.length > 0) return;
    if (content[0] === 0x30) {
      const key = readPrivateKey(content);
      if (key) keys.push({ file, value: scalarOf(key) });
      else certificates.push({ file, value: parseCertificate(content) });
    } else if (/\.(der|pem|crt|cer|key|p8)$/i.test(file)) {
      throw new PkiError('malformed', 'neither PEM nor DER');
    }
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new PkiError('malformed', `${file}: ${detail}`, { cause });
  }
}

export function pem(label: string, der: Uint8Array): string {
  return `${PemConverter.encode(Uint8Array.from(der), label)}\n`;
}

function eimOf({ file, value }: Found<Certificate>, privateKey: Uint8Array): EimCredentials {
  const { subjectName } = value.x509;
  const dns = alternativeName(value, 'dns');
  const marked = /^eim ([123]) (.+)$/s.exec(attributeOf(subjectName, oids.description) ?? '');
  const eimId =
    marked?.[2] ?? attributeOf(subjectName, oids.commonName) ?? dns ?? alternativeName(value, 'id');
  if (!eimId) throw new PkiError('incomplete', `${file} names no eIM: a common name or a dNSName is needed`);
  const eimFqdn = dns ?? eimId;
  const guess = /^[012](\.\d+)+$/.test(eimId) ? 1 : eimId === eimFqdn ? 2 : 3;
  return {
    eimId,
    eimIdType: marked ? (Number(marked[1]) as 1 | 2 | 3) : guess,
    eimFqdn,
    privateKey,
    publicKey: value.spki,
    certificate: value.der,
  };
}

function eidOf({ file, value }: Found<Certificate>): Uint8Array {
  const digits = attributeOf(value.x509.subjectName, oids.serialNumber) ?? '';
  if (!/^\d{32}$/.test(digits))
    throw new PkiError('malformed', `${file}: the subject has no EID of 32 digits`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function only<T>(found: Found<T>[], what: string, dir: string): Found<T> {
  if (found.length === 1) return found[0];
  const list = found.map(({ file }) => file).join(', ');
  throw new PkiError(
    'incomplete',
    found.length ? `more than one ${what} in ${dir}: ${list}` : `${dir} has no ${what}`,
  );
}

function fits(privateKey: Uint8Array, certificate: Certificate): boolean {
  return sameBytes(publicPoint(privateKey), certificate.publicKey);
}
