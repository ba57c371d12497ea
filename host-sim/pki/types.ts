/** What an eUICC is made with. Keys are P-256 scalars of 32 bytes, certificates whole X.509 DER. */
export interface EuiccCredentials {
  /** 16 bytes, 32 BCD digits. */
  eid: Uint8Array;
  privateKey: Uint8Array;
  certificate: Uint8Array;
  eumCertificate: Uint8Array;
  /** SubjectKeyIdentifier of the CI the chain ends in, 20 bytes. */
  ciKeyId: Uint8Array;
}

export interface EimCredentials {
  /** EimConfigurationData.80, 1…128 characters. */
  eimId: string;
  /** 1 OID, 2 FQDN, 3 proprietary. */
  eimIdType: 1 | 2 | 3;
  eimFqdn: string;
  privateKey: Uint8Array;
  /** SubjectPublicKeyInfo, whole DER. */
  publicKey: Uint8Array;
  /** Self-signed certificate over the same key, whole DER. */
  certificate: Uint8Array;
}

/** A certificate with its key. */
export interface Credential {
  privateKey: Uint8Array;
  certificate: Uint8Array;
}

/** What issues certificates for servers. */
export type CiCredentials = Credential;

/** How a server is called. */
export interface ServerNames {
  /** FQDN, as in activation codes and serverSigned1. */
  address: string;
  /** Dotted; registeredID of its certificates. */
  oid: string;
}

export interface SmdsCredentials extends ServerNames {
  /** SubjectKeyIdentifier of the CI its certificates hang from, 20 bytes. */
  ciKeyId: Uint8Array;
  /** CERT.DSauth, or CERT.DPauth of an SM-DP+. */
  auth: Credential;
  tls: Credential;
}

export interface SmdpCredentials extends SmdsCredentials {
  /** CERT.DPpb, which binds profiles. */
  pb: Credential;
}

export interface Pki {
  /** Trust anchors, whole X.509 DER. */
  ciCertificates: Uint8Array[];
  euicc: EuiccCredentials;
  eims: EimCredentials[];
  /** Of the first trust anchor; absent where its key was not kept. */
  ci?: CiCredentials;
  smdps: SmdpCredentials[];
  smdss: SmdsCredentials[];
}
