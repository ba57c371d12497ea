import {
  Aid,
  AuthenticateServerResponse,
  type CancelSessionResponse,
  type CtxParams1,
  concat,
  decode,
  EuiccCancelSessionSigned,
  EuiccInfo2,
  EuiccSigned1,
  EuiccSigned2,
  encode,
  NotificationMetadata,
  oid,
  PendingNotification,
  PrepareDownloadResponse,
  Signature,
  toSign,
  writeElement,
} from '../asn1/index.js';

// Makes compact messages whole again (esipa.md §4): an SM-DP+ knows the full forms only, and the signatures cover those.

/** What the eIM knows that a compact message leaves out. */
export interface Known {
  transactionId: Uint8Array;
  serverAddress: string;
  serverChallenge: Uint8Array;
  /** BF22 */
  euiccInfo2?: Uint8Array;
  ctxParams1?: CtxParams1;
  euiccCertificate?: Uint8Array;
  eumCertificate?: Uint8Array;
  bppEuiccOtpk?: Uint8Array;
  hashCc?: Uint8Array;
  smdpOid?: string;
}

/** The BF38 for the SM-DP+; undefined when something is missing that this eIM does not know. */
export function wholeAuthentication(bytes: Uint8Array, known: Known): Uint8Array | undefined {
  const compact = decode(AuthenticateServerResponse, bytes).compactAuthenticateResponseOk;
  if (!compact) return bytes;
  const euiccCertificate = compact.euiccCertificate ?? known.euiccCertificate;
  const eumCertificate = compact.eumCertificate ?? known.eumCertificate;
  if (!euiccCertificate || !eumCertificate) return undefined;
  let { euiccSigned1 } = compact.signedData;
  const short = compact.signedData.compactEuiccSigned1;
  if (short) {
    const ctxParams1 = short.ctxParams1 ?? known.ctxParams1;
    if (!known.euiccInfo2 || !ctxParams1) return undefined;
    const { transactionId, serverAddress, serverChallenge } = known;
    euiccSigned1 = toSign(EuiccSigned1, {
      transactionId,
      serverAddress,
      serverChallenge,
      euiccInfo2: { ...decode(EuiccInfo2, known.euiccInfo2), extCardResource: short.extCardResource },
      ctxParams1,
    });
  }
  if (!euiccSigned1) return undefined;
  const { euiccSignature1 } = compact;
  return encode(AuthenticateServerResponse, {
    authenticateResponseOk: { euiccSigned1, euiccSignature1, euiccCertificate, eumCertificate },
  });
}

/** The BF21 for the SM-DP+. */
export function wholePreparation(bytes: Uint8Array, known: Known): Uint8Array | undefined {
  const compact = decode(PrepareDownloadResponse, bytes).compactDownloadResponseOk;
  if (!compact) return bytes;
  const euiccOtpk = compact.compactEuiccSigned2.euiccOtpk ?? known.bppEuiccOtpk;
  const hashCc = compact.compactEuiccSigned2.hashCc ?? known.hashCc;
  if (!euiccOtpk) return undefined;
  return encode(PrepareDownloadResponse, {
    downloadResponseOk: {
      euiccSigned2: toSign(EuiccSigned2, {
        transactionId: known.transactionId,
        euiccOtpk,
        ...(hashCc && { hashCc }),
      }),
      euiccSignature2: compact.euiccSignature2,
    },
  });
}

/** Without a reason in it the eIM and the IPA would have to have agreed on one before. */
export function wholeCancellation(
  response: CancelSessionResponse,
  { transactionId, smdpOid }: Known,
): CancelSessionResponse | undefined {
  const compact = response.compactCancelSessionResponseOk;
  if (!compact) return response;
  const { reason } = compact.compactEuiccCancelSessionSigned;
  if (reason === undefined || smdpOid === undefined) return undefined;
  return {
    cancelSessionResponseOk: {
      euiccCancelSessionSigned: toSign(EuiccCancelSessionSigned, { transactionId, smdpOid, reason }),
      euiccCancelSessionSignature: compact.euiccCancelSessionSignature,
    },
  };
}

/** The part of an ISD-P's AID in front of and behind the two bytes that a compact result has. */
const aidHead = Uint8Array.of(0xa0, 0, 0, 5, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0);
const aidTail = Uint8Array.of(0);
/** EUICCResponse of success, which a compact result leaves out. */
const simaSuccess = Uint8Array.of(0x30, 7, 0xa0, 5, 0x30, 3, 0x80, 1, 0);

/** What a compact notification leaves out. */
export interface KnownOfNotification {
  euiccCertificate?: Uint8Array;
  eumCertificate?: Uint8Array;
  /** Of the session with that transactionId. */
  session?: { serverAddress: string; smdpOid: string; iccid?: Uint8Array };
}

/** The notification as an SM-DP+ takes it; as it came when something is missing. */
export function wholeNotification(
  notification: PendingNotification,
  { euiccCertificate, eumCertificate, session }: KnownOfNotification,
): PendingNotification {
  const { compactOtherSignedNotification: other, compactProfileInstallationResult: result } = notification;
  if (other && euiccCertificate && eumCertificate) {
    const { tbsOtherNotification, euiccNotificationSignature } = other;
    return {
      otherSignedNotification: {
        tbsOtherNotification,
        euiccNotificationSignature,
        euiccCertificate,
        eumCertificate,
      },
    };
  }
  if (!result || !session) return notification;
  const { transactionId, seqNumber, iccidPresent, compactFinalResult } =
    result.compactProfileInstallationResultData;
  const iccid = iccidPresent === false ? undefined : session.iccid;
  const { compactSuccessResult, errorResult } = compactFinalResult;
  const finalResult = compactSuccessResult
    ? writeElement(
        0xa0,
        concat([
          Aid.write(concat([aidHead, compactSuccessResult.compactAid, aidTail])),
          writeElement(0x04, compactSuccessResult.simaResponse ?? simaSuccess),
        ]),
      )
    : errorResult!;
  const data = writeElement(
    0xbf27,
    concat([
      writeElement(0x80, transactionId),
      NotificationMetadata.write({
        seqNumber,
        profileManagementOperation: ['notificationInstall'],
        notificationAddress: session.serverAddress,
        ...(iccid && { iccid }),
      }),
      oid('smdpOid').write(session.smdpOid),
      writeElement(0xa2, finalResult),
    ]),
  );
  const whole = writeElement(0xbf37, concat([data, Signature.write(result.euiccSignPIR)]));
  return decode(PendingNotification, whole);
}
