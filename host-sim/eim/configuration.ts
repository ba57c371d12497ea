import { EimConfigurationData, type ProtocolName } from '../asn1/index.js';
import type { EimCredentials } from '../pki/index.js';

export interface ConfigurationOptions {
  /** Ask the eUICC for an association token. */
  token: boolean;
  /** What stands in eimPublicKeyData; default 'publicKey'. */
  key?: 'publicKey' | 'certificate';
  /** Default: bit 4, proprietary (MQTT). */
  protocols?: readonly ProtocolName[];
  /** CI whose certificates and signatures the eUICC is to use, 20 bytes. */
  euiccCiPKId?: Uint8Array;
  indirectProfileDownload?: boolean;
  /** What the device is to trust for TLS: a SubjectPublicKeyInfo to pin, or a certificate (of the eIM, or its CA). */
  trustedTls?: { publicKey: Uint8Array } | { certificate: Uint8Array };
  counterValue?: number;
}

/** EimConfigurationData of an eIM, whole DER (30 …): SGP.32 §2.11.1.1.1. */
export function eimConfiguration(credentials: EimCredentials, options: ConfigurationOptions): Uint8Array {
  const { eimId, eimFqdn, eimIdType, publicKey, certificate } = credentials;
  const { trustedTls } = options;
  return EimConfigurationData.write({
    eimId,
    eimFqdn,
    eimIdType,
    counterValue: options.counterValue ?? 0,
    ...(options.token && { associationToken: -1 }),
    eimPublicKeyData:
      options.key === 'certificate' ? { eimCertificate: certificate } : { eimPublicKey: publicKey },
    ...(trustedTls && {
      trustedPublicKeyDataTls:
        'publicKey' in trustedTls
          ? { trustedEimPkTls: trustedTls.publicKey }
          : { trustedCertificateTls: trustedTls.certificate },
    }),
    eimSupportedProtocol: [...(options.protocols ?? (['eimProprietary'] as const))],
    euiccCiPKId: options.euiccCiPKId,
    ...(options.indirectProfileDownload && { indirectProfileDownload: true as const }),
  });
}
