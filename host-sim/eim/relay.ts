import {
  AuthenticateClientRequest,
  AuthenticateClientResponseEsipa,
  AuthenticateServerResponse,
  CancelSessionRequestEs9,
  CancelSessionResponseEs9,
  type CtxParams1,
  DeviceInfo,
  decode,
  type EuiccInfo1,
  EuiccInfo2,
  GetBoundProfilePackageRequest,
  GetBoundProfilePackageResponseEsipa,
  hex,
  InitiateAuthenticationRequestEsipa,
  InitiateAuthenticationResponseEsipa,
  type PendingNotification,
  PrepareDownloadResponse,
  type RemoteProfileProvisioningRequest,
  type RemoteProfileProvisioningResponse,
  StoreMetadataRequest,
  signed,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { EimHappening } from '../events.js';
import { isChainProblem, oidOfCertificate } from '../pki/index.js';
import { bindConfirmationCode, hashConfirmationCode } from '../rsp/index.js';
import { wholeAuthentication, wholeCancellation, wholeNotification, wholePreparation } from './compact.js';
import type { MessageContext } from './esipa.js';
import { attempt } from './messages.js';
import { metadataOf } from './metadata.js';
import { activation, type DownloadTrigger } from './orders.js';
import { type RelaySession, RelaySessions, remember, repeated } from './relay-sessions.js';
import { type Later, type RspConnection, whenThere } from './rsp-connection.js';
import type { Device, EimState, Task } from './state.js';

interface RelayContext {
  readonly state: EimState;
  readonly connect: RspConnection | undefined;
  observe(what: EimHappening, eid: string | undefined, detail: Record<string, unknown>): void;
}

const undefinedError = 127;
const invalidTransactionId = { authenticate: 10, bind: 95, cancel: 1 } as const;
/** Codes that a v1.2 IPA knows (esipa.md §6). */
const esipaCodes = {
  initiate: [1, 2, 3],
  authenticate: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  bind: [1, 2, 3, 4, 5, 6, 95],
} as const;
/** ES11: 6 eventIdUnknown, 7 invalidTransactionId. */
const es11Codes: Readonly<Record<number, number>> = { 6: 56, 7: 10 };

/** The eIM between IPA and SM-DP+: SGP.32 §3.2.3.2, §5.14.1–3, §5.14.8; procedures.md §7. */
export class Relay {
  readonly #eim: RelayContext;
  readonly #sessions = new RelaySessions();

  constructor(context: RelayContext) {
    this.#eim = context;
  }

  /** @returns the answer, now or later; it never fails for what comes from outside */
  handle(tag: number, message: Uint8Array, context: MessageContext): Later<Uint8Array> {
    switch (tag) {
      case InitiateAuthenticationRequestEsipa.tag:
        return this.#initiate(message, context);
      case AuthenticateClientRequest.tag:
        return this.#authenticate(message, context);
      case GetBoundProfilePackageRequest.tag:
        return this.#bind(message, context);
      default:
        return this.#cancel(message, context);
    }
  }

  /** A compact notification as an SM-DP+ takes it, out of what this eIM knows. */
  whole(
    { euiccCertificate, eumCertificate }: Device,
    notification: PendingNotification,
  ): PendingNotification {
    const compact = notification.compactProfileInstallationResult?.compactProfileInstallationResultData;
    const session = compact && this.#sessions.find(compact.transactionId);
    const { serverAddress, smdpOid } = session?.known ?? {};
    const metadata = session?.metadata && decode(StoreMetadataRequest, session.metadata);
    return wholeNotification(notification, {
      euiccCertificate,
      eumCertificate,
      ...(serverAddress !== undefined &&
        smdpOid !== undefined && { session: { serverAddress, smdpOid, iccid: metadata?.iccid } }),
    });
  }

  #initiate(message: Uint8Array, context: MessageContext): Later<Uint8Array> {
    const refuse = (code: number, why: string, eid?: string) => {
      this.#eim.observe('rejected', eid ?? context.eid, { why, initiateAuthenticationError: code });
      return InitiateAuthenticationResponseEsipa.write({ initiateAuthenticationErrorEsipa: code });
    };
    const request = attempt(() => decode(InitiateAuthenticationRequestEsipa, message));
    if (!request) return refuse(undefinedError, 'InitiateAuthentication cannot be read');
    const found = this.#ordered(context.eid, request.eimTransactionId);
    if (!found) return refuse(52, 'no download was ordered with this transaction');
    const { device, task, order } = found;
    const { eid } = device;
    if (order.way === 'direct') return refuse(undefinedError, 'the download was ordered to be direct', eid);
    const again = this.#sessions.repeated(task, message);
    if (again?.last) return again.last.answer;

    const data = order.activationCode === undefined ? undefined : activation(order.activationCode);
    const expected = data?.address ?? (order.smds || undefined);
    const address = expected ?? request.smdpAddress;
    if (address === undefined) return refuse(1, 'nobody says which SM-DP+ to ask', eid);
    if (request.smdpAddress !== undefined && !sameName(request.smdpAddress, address))
      return refuse(50, `the IPA wants ${request.smdpAddress}, the order says ${address}`, eid);
    const euiccInfo1 = request.euiccInfo1 ?? infoOf(device);
    if (!euiccInfo1) return refuse(undefinedError, 'the EUICCInfo1 is not known', eid);
    const isSmds = data === undefined && order.smds !== undefined;

    const asked = this.#ask(address, {
      initiateAuthenticationRequest: {
        euiccChallenge: request.euiccChallenge,
        smdpAddress: address,
        euiccInfo1,
      },
    });
    return whenThere(asked, (response) => {
      const { initiateAuthenticationOk: ok, initiateAuthenticationError: code } =
        response?.initiateAuthenticationResponse ?? {};
      if (!ok)
        return refuse(allowed(code, esipaCodes.initiate), `${address} refused: ${code ?? 'no answer'}`, eid);
      const { serverAddress, serverChallenge } = ok.serverSigned1.value;
      const oid = oidOf(ok.serverCertificate);
      if (!sameName(serverAddress, address))
        return refuse(50, `${address} calls itself ${serverAddress}`, eid);
      if (data?.oid !== undefined && data.oid !== oid)
        return refuse(51, `${address} has the OID ${oid}, the activation code says ${data.oid}`, eid);
      const { transactionId } = ok;
      const handles = device.ipaFeatures?.includes('eimDownloadDataHandling') ?? false;
      const matchingId = data?.matchingId;
      const ctxParams1 = this.#ctxParams1(device, matchingId);
      const session: RelaySession = {
        eid,
        task,
        address,
        isSmds,
        known: {
          transactionId,
          serverAddress,
          serverChallenge,
          euiccInfo2: device.euiccInfo2,
          euiccCertificate: device.euiccCertificate,
          eumCertificate: device.eumCertificate,
          smdpOid: oid,
          ...(ctxParams1 && { ctxParams1 }),
        },
      };
      this.#sessions.begin(transactionId, session);
      task.session = { transactionId: transactionId.slice(), address };
      this.#eim.state.save();
      this.#eim.observe('relayed', eid, {
        function: 'InitiateAuthentication',
        address,
        transactionId: hex(transactionId),
      });
      const answer = InitiateAuthenticationResponseEsipa.write({
        initiateAuthenticationOkEsipa: {
          transactionId,
          serverSigned1: ok.serverSigned1,
          serverSignature1: ok.serverSignature1,
          euiccCiPKIdentifierToBeUsed: ok.euiccCiPKIdToBeUsed,
          serverCertificate: ok.serverCertificate,
          ...(handles && !ctxParams1 && matchingId !== undefined && { matchingId }),
          ...(ctxParams1 && { ctxParams1 }),
        },
      });
      session.last = { request: message.slice(), answer };
      return answer;
    });
  }

  /** Made here when the IPA leaves it to the eIM (eimCtxParams1Generation). */
  #ctxParams1({ ipaFeatures, deviceInfo }: Device, matchingId: string | undefined): CtxParams1 | undefined {
    if (!ipaFeatures?.includes('eimCtxParams1Generation') || !deviceInfo) return undefined;
    return {
      ctxParamsForCommonAuthentication: {
        ...(matchingId !== undefined && { matchingId }),
        deviceInfo: decode(DeviceInfo, deviceInfo),
      },
    };
  }

  #authenticate(message: Uint8Array, context: MessageContext): Later<Uint8Array> {
    const refuse = (code: number, why: string, eid = context.eid) => {
      this.#eim.observe('rejected', eid, { why, authenticateClientError: code });
      return AuthenticateClientResponseEsipa.write({ authenticateClientErrorEsipa: code });
    };
    const request = attempt(() => decode(AuthenticateClientRequest, message));
    if (!request) return refuse(undefinedError, 'AuthenticateClient cannot be read');
    const session = this.#sessions.find(request.transactionId, context.eid);
    if (!session) return refuse(invalidTransactionId.authenticate, 'the transactionId is unknown');
    if (repeated(session, message)) return session.last!.answer;
    const { eid, address, known } = session;
    const whole = attempt(() => wholeAuthentication(request.authenticateServerResponse.bytes, known));
    if (!whole) return refuse(undefinedError, 'the compact response lacks what this eIM does not know', eid);
    const asked = this.#ask(address, {
      authenticateClientRequest: {
        transactionId: request.transactionId,
        authenticateServerResponse: decode(signed(AuthenticateServerResponse), whole),
      },
    });
    return whenThere(asked, (response) => {
      if (session.isSmds) return this.#events(session, message, response, refuse);
      const { authenticateClientOk: ok, authenticateClientError: code } =
        response?.authenticateClientResponseEs9 ?? {};
      if (!ok)
        return refuse(
          allowed(code, esipaCodes.authenticate),
          `${address} refused: ${code ?? 'no answer'}`,
          eid,
        );
      const device = this.#eim.state.device(eid);
      const { download } = session.task.order as { download: DownloadTrigger };
      const verifies = device?.ipaFeatures?.includes('eimProfileMetadataVerification') ?? false;
      const rules = ok.profileMetadata.value.profilePolicyRules ?? [];
      session.metadata = ok.profileMetadata.bytes.slice();
      if (verifies && rules.length > 0 && download.allowPolicyRules === false)
        return refuse(50, `the profile has the policy rules ${rules.join(', ')}`, eid);
      const { ccRequiredFlag, bppEuiccOtpk } = ok.smdpSigned2.value;
      known.bppEuiccOtpk = bppEuiccOtpk;
      const { confirmationCode } = download;
      const hashCc =
        ccRequiredFlag && confirmationCode !== undefined
          ? bindConfirmationCode(hashConfirmationCode(confirmationCode), known.transactionId)
          : undefined;
      known.hashCc = hashCc;
      this.#eim.observe('relayed', eid, { function: 'AuthenticateClient', address });
      return remember(
        session,
        message,
        AuthenticateClientResponseEsipa.write({
          authenticateClientOkDPEsipa: {
            transactionId: ok.transactionId,
            ...(!verifies && { profileMetadata: ok.profileMetadata }),
            smdpSigned2: ok.smdpSigned2,
            smdpSignature2: ok.smdpSignature2,
            smdpCertificate: ok.smdpCertificate,
            ...(hashCc && { hashCc }),
          },
        }),
      );
    });
  }

  /** SM-DS (§3.9.2.2): the first event becomes a trigger for the same order. */
  #events(
    session: RelaySession,
    message: Uint8Array,
    response: RemoteProfileProvisioningResponse | undefined,
    refuse: (code: number, why: string, eid?: string) => Uint8Array,
  ): Uint8Array {
    const { eid, address, task, known } = session;
    const { authenticateClientOk: ok, authenticateClientError: code } =
      response?.authenticateClientResponseEs11 ?? {};
    if (!ok) {
      const translated = code === undefined ? undefined : (es11Codes[code] ?? code);
      return refuse(
        allowed(translated, [...esipaCodes.authenticate, 56]),
        `${address} refused: ${code ?? 'no answer'}`,
        eid,
      );
    }
    const [event] = ok.eventEntries;
    this.#eim.observe('relayed', eid, {
      function: 'AuthenticateClient',
      address,
      events: ok.eventEntries.length,
    });
    if (event) {
      const activationCode = `1$${event.rspServerAddress}$${event.eventId}`;
      task.order = {
        download: {
          ...(task.order as { download: DownloadTrigger }).download,
          activationCode,
          smds: undefined,
        },
      };
      this.#eim.state.save();
    }
    const { activationCode } = (task.order as { download: DownloadTrigger }).download;
    return remember(
      session,
      message,
      AuthenticateClientResponseEsipa.write({
        authenticateClientOkDSEsipa: {
          transactionId: known.transactionId,
          ...(event && {
            profileDownloadTrigger: {
              profileDownloadData: { activationCode: activationCode! },
              eimTransactionId: task.eimTransactionId,
            },
          }),
        },
      }),
    );
  }

  #bind(message: Uint8Array, context: MessageContext): Later<Uint8Array> {
    const refuse = (code: number, why: string, eid = context.eid) => {
      this.#eim.observe('rejected', eid, { why, getBoundProfilePackageError: code });
      return GetBoundProfilePackageResponseEsipa.write({ getBoundProfilePackageErrorEsipa: code });
    };
    const request = attempt(() => decode(GetBoundProfilePackageRequest, message));
    if (!request) return refuse(undefinedError, 'GetBoundProfilePackage cannot be read');
    const session = this.#sessions.find(request.transactionId, context.eid);
    if (!session) return refuse(invalidTransactionId.bind, 'the transactionId is unknown');
    if (repeated(session, message)) return session.last!.answer;
    const { eid, address, known } = session;
    const whole = attempt(() => wholePreparation(request.prepareDownloadResponse.bytes, known));
    if (!whole) return refuse(undefinedError, 'the compact response lacks what this eIM does not know', eid);
    const asked = this.#ask(address, {
      getBoundProfilePackageRequest: {
        transactionId: request.transactionId,
        prepareDownloadResponse: decode(signed(PrepareDownloadResponse), whole),
      },
    });
    return whenThere(asked, (response) => {
      const { getBoundProfilePackageOk: ok, getBoundProfilePackageError: code } =
        response?.getBoundProfilePackageResponse ?? {};
      if (!ok)
        return refuse(allowed(code, esipaCodes.bind), `${address} refused: ${code ?? 'no answer'}`, eid);
      const device = this.#eim.state.device(eid);
      const verifies = device?.ipaFeatures?.includes('eimProfileMetadataVerification') ?? false;
      if (verifies && !sameBytes(metadataOf(ok.boundProfilePackage), session.metadata))
        return refuse(50, 'the package has other metadata than AuthenticateClient', eid);
      this.#eim.observe('relayed', eid, {
        function: 'GetBoundProfilePackage',
        address,
        bytes: ok.boundProfilePackage.length,
      });
      return remember(
        session,
        message,
        GetBoundProfilePackageResponseEsipa.write({
          getBoundProfilePackageOkEsipa: {
            transactionId: ok.transactionId,
            boundProfilePackage: ok.boundProfilePackage,
          },
        }),
      );
    });
  }

  #cancel(message: Uint8Array, context: MessageContext): Later<Uint8Array> {
    const refuse = (code: number, why: string, eid = context.eid) => {
      this.#eim.observe('rejected', eid, { why, cancelSessionError: code });
      return CancelSessionResponseEs9.write({ cancelSessionError: code });
    };
    const request = attempt(() => decode(CancelSessionRequestEs9, message));
    if (!request) return refuse(undefinedError, 'CancelSession cannot be read');
    const session = this.#sessions.find(request.transactionId, context.eid);
    if (!session) return refuse(invalidTransactionId.cancel, 'the transactionId is unknown');
    if (repeated(session, message)) return session.last!.answer;
    const { eid, address, known } = session;
    const cancelSessionResponse = wholeCancellation(request.cancelSessionResponse, known);
    if (!cancelSessionResponse) return refuse(undefinedError, 'the compact response has no reason', eid);
    const asked = this.#ask(address, {
      cancelSessionRequestEs9: { transactionId: request.transactionId, cancelSessionResponse },
    });
    return whenThere(asked, (response) => {
      const code = response?.cancelSessionResponseEs9?.cancelSessionError;
      if (!response?.cancelSessionResponseEs9)
        return refuse(undefinedError, `${address} did not answer`, eid);
      this.#eim.observe('relayed', eid, { function: 'CancelSession', address });
      if (code !== undefined) return refuse(allowed(code, [1, 2]), `${address} refused: ${code}`, eid);
      return remember(session, message, CancelSessionResponseEs9.write({ cancelSessionOk: {} }));
    });
  }

  #ordered(
    eid: string | undefined,
    eimTransactionId: Uint8Array | undefined,
  ): { device: Device; task: Task; order: DownloadTrigger } | undefined {
    for (const device of this.#eim.state.devices) {
      if (eid !== undefined && device.eid !== eid) continue;
      for (const task of device.tasks) {
        if (task.sentAt === undefined || !('download' in task.order)) continue;
        const fits = eimTransactionId
          ? sameBytes(task.eimTransactionId, eimTransactionId)
          : eid !== undefined;
        if (fits) return { device, task, order: task.order.download };
      }
    }
    return undefined;
  }

  /** Nothing when the server cannot be reached: that is told, and the IPA gets 127. */
  #ask(
    address: string,
    request: RemoteProfileProvisioningRequest,
  ): Later<RemoteProfileProvisioningResponse | undefined> {
    const failed = (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#eim.observe('rejected', undefined, { why: `${address}: ${why}` });
      return undefined;
    };
    try {
      const answer = this.#eim.connect?.(address, request);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (error) {
      return failed(error);
    }
  }
}

const sameName = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function allowed(code: number | undefined, codes: readonly number[]): number {
  return code !== undefined && codes.includes(code) ? code : undefinedError;
}

function oidOf(certificate: Uint8Array): string | undefined {
  try {
    return oidOfCertificate(certificate);
  } catch (error) {
    if (isChainProblem(error)) return undefined;
    throw error;
  }
}

/** EUICCInfo1 out of EUICCInfo2: the same fields. */
function infoOf({ euiccInfo2 }: Device): EuiccInfo1 | undefined {
  if (!euiccInfo2) return undefined;
  const { svn, euiccCiPKIdListForSigning, euiccCiPKIdListForVerification } = decode(EuiccInfo2, euiccInfo2);
  return { svn, euiccCiPKIdListForSigning, euiccCiPKIdListForVerification };
}
