import { XsIpaError } from '../../hal/contracts/index.js';
import { type TlsTrust, trustOf } from '../../hal/node/trust.js';
import type { EimConfiguration } from '../../ipa/es10/index.js';

/**
 * Whom to trust as an eIM: what its configuration says (trustedPublicKeyDataTls, esipa.md §7), or this computer's roots.
 * @throws XsIpaError 'badTrust'
 */
export function trustedAs({ eimId, trustedTls }: EimConfiguration): TlsTrust {
  if (!trustedTls) return { roots: 'system' };
  try {
    return trustOf(trustedTls.kind, trustedTls.der);
  } catch (cause) {
    throw new XsIpaError(
      'badTrust',
      `trustedPublicKeyDataTls of ${eimId} holds no certificate that can be read; update its configuration`,
      { cause },
    );
  }
}
