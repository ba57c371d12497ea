import { type PendingNotification, tokenDo, writeElement } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { isChainProblem, publicKeyOf, verify, verifyEuiccChain } from '../pki/index.js';

/**
 * Whether the eUICC signed a package result or error: over the data as received ‖ token DO (crypto.md §2). Two other
 * forms are met in the field and accepted: a token above 127 without its leading 00 (Q12), and, as SGP.32 v1.0 has it,
 * the eimSignature of the package instead of the token (Q44).
 *
 * @param eimSignature of the package that the result answers, if known
 */
export function signedByEuicc(
  certificate: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
  token: number | undefined,
  eimSignature?: Uint8Array,
): boolean {
  const key = publicKeyOf(certificate);
  const ends = [tokenDo(token)];
  if (token !== undefined && token > 127) ends.push(unsignedTokenDo(token));
  if (eimSignature) ends.push(writeElement(0x5f37, eimSignature));
  return ends.some((end) => verify(key, signature, data, end));
}

function unsignedTokenDo(token: number): Uint8Array {
  const digits = token.toString(16);
  return writeElement(0x84, Buffer.from(digits.padStart(digits.length + (digits.length & 1), '0'), 'hex'));
}

/** What of a notification is signed, and what signs it. */
interface CheckedNotification {
  seqNumber: number;
  event: string;
  iccid?: Uint8Array;
  data: Uint8Array;
  signature: Uint8Array;
}

/**
 * Verifies a notification: its own certificates up to a trusted CI where it carries them, else the known one.
 * @returns a reason as text when it is not to be believed
 */
export function checkNotification(
  notification: PendingNotification,
  eid: Uint8Array,
  cis: readonly Uint8Array[],
  known: Uint8Array | undefined,
): CheckedNotification | string {
  const { otherSignedNotification, profileInstallationResult, compactOtherSignedNotification } = notification;
  let certificate = known;
  let checked: CheckedNotification;
  if (otherSignedNotification) {
    const { tbsOtherNotification, euiccNotificationSignature, euiccCertificate, eumCertificate } =
      otherSignedNotification;
    // The certificate that the device showed before has been verified with its chain.
    if (!sameBytes(known, euiccCertificate)) {
      try {
        verifyEuiccChain({ euicc: euiccCertificate, eum: eumCertificate, cis, eid });
      } catch (error) {
        if (!isChainProblem(error)) throw error;
        return `its certificates are not trusted: ${error.message}`;
      }
    }
    certificate = euiccCertificate;
    checked = {
      ...metadata(tbsOtherNotification.value),
      data: tbsOtherNotification.bytes,
      signature: euiccNotificationSignature,
    };
  } else if (profileInstallationResult) {
    const { bytes, value } = profileInstallationResult.profileInstallationResultData;
    checked = {
      ...metadata(value.notificationMetadata),
      data: bytes,
      signature: profileInstallationResult.euiccSignPIR,
    };
  } else if (compactOtherSignedNotification) {
    const { tbsOtherNotification, euiccNotificationSignature } = compactOtherSignedNotification;
    checked = {
      ...metadata(tbsOtherNotification.value),
      data: tbsOtherNotification.bytes,
      signature: euiccNotificationSignature,
    };
  } else {
    return 'the compact installation result is of no session that this eIM runs';
  }
  if (!certificate) return 'the certificate of the eUICC is not known yet';
  if (!verify(publicKeyOf(certificate), checked.signature, checked.data)) return 'its signature is wrong';
  return checked;
}

function metadata(value: {
  seqNumber: number;
  profileManagementOperation: readonly string[];
  iccid?: Uint8Array;
}): Pick<CheckedNotification, 'seqNumber' | 'event' | 'iccid'> {
  const { seqNumber, profileManagementOperation, iccid } = value;
  return { seqNumber, event: profileManagementOperation.join('+'), iccid };
}
