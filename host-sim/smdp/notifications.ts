import {
  iccidDigits,
  type NotificationMetadata,
  PendingNotification,
  ProfileInstallationResult,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import { eidOfCertificate, isChainProblem, publicKeyOf, verify, verifyEuiccChain } from '../pki/index.js';
import type { DownloadOrder, OrderBook, ReceivedNotification } from './orders.js';

/** What an installation came to. */
interface InstallationResult {
  ok: boolean;
  /** "loadProfileElements: installFailedDueToInsufficientMemoryForProfile" */
  reason?: string;
  /** The order may be tried again. */
  retry?: boolean;
}

interface Taken {
  order?: DownloadOrder;
  received: ReceivedNotification;
  result?: InstallationResult;
  /** It had come before. */
  again?: boolean;
}

/** Errors that say nothing against the profile: the same order may be downloaded again. */
const passing = ['installFailedDueToInterruption', 'scp03tSecurityError', 'scp03tStructureError'];

/** Verifies a notification and puts it with its order. @returns undefined for a compact form */
export function receive(
  notification: PendingNotification,
  book: OrderBook,
  { ciCertificates, clock }: { ciCertificates: readonly Uint8Array[]; clock: Clock },
): Taken | undefined {
  const { profileInstallationResult, otherSignedNotification } = notification;
  let order: DownloadOrder | undefined;
  let metadata: NotificationMetadata;
  let verified = false;
  let result: InstallationResult | undefined;
  if (profileInstallationResult) {
    const { profileInstallationResultData, euiccSignPIR } = profileInstallationResult;
    const { transactionId, notificationMetadata, finalResult } = profileInstallationResultData.value;
    metadata = notificationMetadata;
    order = book.orders.find((one) => sameBytes(one.transactionId, transactionId));
    if (order?.euiccCertificate)
      verified = verify(
        publicKeyOf(order.euiccCertificate),
        euiccSignPIR,
        profileInstallationResultData.bytes,
      );
    result = finalResult.successResult ? { ok: true } : failureOf(profileInstallationResult);
  } else if (otherSignedNotification) {
    const { tbsOtherNotification, euiccNotificationSignature, euiccCertificate, eumCertificate } =
      otherSignedNotification;
    metadata = tbsOtherNotification.value;
    verified =
      trusted(euiccCertificate, eumCertificate, ciCertificates) &&
      verify(publicKeyOf(euiccCertificate), euiccNotificationSignature, tbsOtherNotification.bytes);
    const iccid = metadata.iccid && iccidDigits(metadata.iccid);
    order = [...book.orders].reverse().find((one) => one.iccid === iccid);
  } else return undefined;
  const bytes = PendingNotification.write(notification);
  const list = order?.notifications ?? book.strays;
  const known = list.find((one) => one.seqNumber === metadata.seqNumber && sameBytes(one.bytes, bytes));
  if (known) return { order, received: known, result, again: true };
  const received: ReceivedNotification = {
    seqNumber: metadata.seqNumber,
    event: metadata.profileManagementOperation.join('+'),
    ...(metadata.iccid && { iccid: iccidDigits(metadata.iccid) }),
    verified,
    bytes,
    at: clock.now,
  };
  list.push(received);
  return { order, received, result };
}

function failureOf(
  result: NonNullable<PendingNotification['profileInstallationResult']>,
): InstallationResult {
  const shown = ProfileInstallationResult.show(result) as {
    profileInstallationResultData: {
      finalResult: { errorResult?: { bppCommandId: unknown; errorReason: unknown } };
    };
  };
  const { bppCommandId, errorReason } = shown.profileInstallationResultData.finalResult.errorResult ?? {};
  return {
    ok: false,
    reason: `${bppCommandId}: ${errorReason}`,
    retry: passing.includes(String(errorReason)),
  };
}

function trusted(euicc: Uint8Array, eum: Uint8Array, cis: readonly Uint8Array[]): boolean {
  try {
    verifyEuiccChain({ euicc, eum, cis, eid: eidOfCertificate(euicc) });
    return true;
  } catch (error) {
    if (isChainProblem(error)) return false;
    throw error;
  }
}
