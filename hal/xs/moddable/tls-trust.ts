/** What is read of a certificate. Times are milliseconds since 1970. */
export interface Certificate {
  /** SubjectPublicKeyInfo, DER. */
  key: Uint8Array;
  from: number;
  to: number;
  isCa: boolean;
  /** Of subjectAltName: DNS names, and addresses with dots. */
  names: readonly string[];
}

/** Reads and checks certificates, DER; whatever is wrong with one is thrown. */
export interface Certificates {
  read(certificate: Uint8Array): Certificate;
  /** Has the key of `issuer` signed this one? */
  isSigned(certificate: Uint8Array, issuer: Uint8Array): boolean;
  /** Has one of the platform's roots signed it? */
  isSignedByRoot(certificate: Uint8Array): boolean;
}

/** Whom a TLS socket trusts: a public key, the certificate of a CA, or the platform's roots. */
export type Trust = { key: Uint8Array } | { ca: Uint8Array } | undefined;

/** Longest chain: server, two intermediate ones, root. */
const LONGEST = 4;
/** 2025-01-01: a clock before this was not set. */
const CLOCK = 1_735_689_600_000;

/**
 * Why a server's certificates do not show that it is the right one; undefined when they do. A pinned key is looked at whatever
 * the certificate's name, and its dates where there is a clock (esipa.md §7). Not looked at: key usages, name constraints,
 * path lengths, revocation.
 *
 * @param chain the server's first, DER
 */
export function refusal(
  chain: readonly Uint8Array[],
  trust: Trust,
  serverName: string,
  now: number,
  certificates: Certificates,
): string | undefined {
  if (chain.length === 0) return 'the server showed no certificate';
  if (chain.length > LONGEST) return `the server showed ${chain.length} certificates`;
  const server = certificates.read(chain[0]);
  const hasClock = now >= CLOCK;
  if (hasClock && !isDated(server, now)) return "the server's certificate has expired, or is not valid yet";
  if (trust && 'key' in trust)
    return isSame(server.key, trust.key) ? undefined : "the server's key is not the one that is trusted";
  if (!hasClock) return 'the clock is not set, so that no certificate can be checked: set sntp';
  if (!isNamed(server.names, serverName)) return `the server's certificate is not for ${serverName}`;
  if (trust && !isDated(certificates.read(trust.ca), now)) return 'the trusted CA has expired';
  for (let at = 0; at < chain.length; at++) {
    if (at > 0) {
      const issuer = certificates.read(chain[at]);
      if (!issuer.isCa || !isDated(issuer, now)) return "the server's certificate comes from no valid CA";
      if (!certificates.isSigned(chain[at - 1], chain[at]))
        return "the server's certificates do not fit each other";
    }
    const isTrusted = trust
      ? certificates.isSigned(chain[at], trust.ca)
      : certificates.isSignedByRoot(chain[at]);
    if (isTrusted) return undefined;
  }
  return "the server's certificate comes from nobody that is trusted";
}

function isDated({ from, to }: Certificate, now: number): boolean {
  return from <= now && now <= to;
}

/** Exact, or a wildcard for the first label (RFC 6125 §6.4.3). */
function isNamed(names: readonly string[], wanted: string): boolean {
  const host = wanted.toLowerCase();
  const dot = host.indexOf('.');
  for (const name of names) {
    const small = name.toLowerCase();
    if (small === host) return true;
    // An address has no labels.
    if (
      small.startsWith('*.') &&
      dot > 0 &&
      small.slice(1) === host.slice(dot) &&
      !isNumber(host.slice(dot + 1))
    )
      return true;
  }
  return false;
}

function isNumber(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x2e && (code < 0x30 || code > 0x39)) return false;
  }
  return true;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
