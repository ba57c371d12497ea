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

export interface Pki {
  /** Trust anchors, whole X.509 DER. */
  ciCertificates: Uint8Array[];
  euicc: EuiccCredentials;
  eims: EimCredentials[];
}
