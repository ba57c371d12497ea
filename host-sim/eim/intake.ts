import {
  decode,
  type EimPackageResult,
  EimPackageResultErrorNames,
  EuiccPackageRequest,
  type EuiccPackageResult,
  hex,
  IpaEuiccData,
  IpaEuiccDataResponse,
  type PendingNotification,
} from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { EimHappening } from '../events.js';
import { isChainProblem, verifyEuiccChain } from '../pki/index.js';
import { dataTags, eidBytes, operationsOf } from './orders.js';
import { type Outcome, operationResult, packageErrorName } from './outcome.js';
import type { Device, Task } from './state.js';
import { checkNotification, signedByEuicc } from './verification.js';

/** What the intake needs of its eIM. */
export interface IntakeContext {
  readonly eimId: string;
  readonly ciCertificates: readonly Uint8Array[];
  readonly clock: Clock;
  nextTask(): number;
  /** Reported once the state is durable. */
  report(device: Device, what: EimHappening, detail: Record<string, unknown>): void;
  /** The task is over and no longer in the queue. */
  settle(device: Device, task: Task, outcome: Outcome): void;
  /** The answer to something that was never queued, such as a forged package. */
  unqueued(device: Device, eimTransactionId: Uint8Array | undefined, outcome: Outcome): void;
}

/** What BF50 and BF4E have in common. */
type Delivered = Pick<
  Partial<EimPackageResult>,
  'euiccPackageResult' | 'ePRAndNotifications' | 'ipaEuiccDataResponse' | 'eimPackageResultResponseError'
>;

/** After a failed onboarding the eIM stays silent for this long. */
const onboardingPause = 60_000;

/**
 * Takes what a device delivers: verifies it, puts it into the state, settles the tasks it answers. Every function returns
 * the eUICC sequence numbers that may be acknowledged once the state is saved.
 */
export class Intake {
  readonly #eim: IntakeContext;

  constructor(context: IntakeContext) {
    this.#eim = context;
  }

  take(device: Device, result: Delivered): number[] {
    if (result.euiccPackageResult) return this.packageResult(device, result.euiccPackageResult);
    if (result.ePRAndNotifications) {
      const { euiccPackageResult, notificationList } = result.ePRAndNotifications;
      return [
        ...this.packageResult(device, euiccPackageResult),
        ...notificationList.flatMap((notification) => this.notification(device, notification)),
      ];
    }
    if (result.ipaEuiccDataResponse) return this.dataResponse(device, result.ipaEuiccDataResponse);
    if (result.eimPackageResultResponseError) {
      const { eimTransactionId, eimPackageResultErrorCode } = result.eimPackageResultResponseError;
      this.ipaError(device, eimPackageResultErrorCode, eimTransactionId);
      return [];
    }
    return this.#reject(device, 'a download result arrived that nobody ordered');
  }

  packageResult(device: Device, result: EuiccPackageResult): number[] {
    if (result.euiccPackageResultSigned) return this.#resultSigned(device, result.euiccPackageResultSigned);
    if (result.euiccPackageErrorSigned) return this.#errorSigned(device, result.euiccPackageErrorSigned);
    const { eimId, eimTransactionId } = result.euiccPackageErrorUnsigned;
    if (eimId !== this.#eim.eimId) return this.#reject(device, `the unsigned error is for eIM ${eimId}`);
    const task = device.tasks.find(
      (one) =>
        one.counterValue !== undefined && (!eimTransactionId || same(one.eimTransactionId, eimTransactionId)),
    );
    const name = 'errorUnsigned';
    this.#eim.report(device, 'refused', {
      name,
      by: 'euiccUnsigned',
      queued: task !== undefined,
      ...(eimTransactionId && { eimTransactionId: hex(eimTransactionId) }),
    });
    const detail = 'the eUICC does not know this eIM, or its signature does not verify there';
    const outcome: Outcome = { outcome: 'refused', ok: false, by: 'euiccUnsigned', name, detail };
    if (task) {
      // The association may have been made anew with another token: ask for it before the next package.
      device.onboarded = false;
      this.#eim.settle(device, task, outcome);
    } else this.#eim.unqueued(device, eimTransactionId, outcome);
    return [];
  }

  #resultSigned(
    device: Device,
    {
      euiccPackageResultDataSigned,
      euiccSignEPR,
    }: NonNullable<EuiccPackageResult['euiccPackageResultSigned']>,
  ): number[] {
    const { bytes, value } = euiccPackageResultDataSigned;
    const { seqNumber, counterValue, eimTransactionId } = value;
    if (value.eimId !== this.#eim.eimId) {
      return this.#reject(device, `the result is for eIM ${value.eimId}`, { seqNumber });
    }
    if (device.results.some((known) => known.seqNumber === seqNumber && same(known.data, bytes))) {
      this.#eim.report(device, 'acknowledged', { seqNumbers: [seqNumber], again: true });
      return [seqNumber];
    }
    const task = matching(device, counterValue, eimTransactionId);
    const why = this.#doubt(device, bytes, euiccSignEPR, task);
    if (why) return this.#reject(device, why, { seqNumber, counterValue });

    const results = value.euiccResult.map(operationResult);
    const rollback = value.euiccResult.some((one) => one.rollbackResult !== undefined);
    const kind = task ? 'result' : rollback ? 'rollback' : 'orphan';
    device.results.push({
      kind,
      seqNumber,
      counterValue,
      data: bytes.slice(),
      signature: euiccSignEPR.slice(),
      at: this.#eim.clock.now,
    });
    const outcome: Outcome = {
      outcome: 'verified',
      ok:
        !rollback &&
        results.every(({ ok }) => ok) &&
        (!task || results.length >= operationsOf(task.order).length),
      counterValue,
      ...(eimTransactionId && { eimTransactionId: hex(eimTransactionId) }),
      seqNumber,
      results,
    };
    this.#eim.report(device, 'verified', { kind, counterValue, seqNumber, results });
    // Without this eIM on the eUICC its token is void; should it come back, there is a new one.
    const eco = task && 'eco' in task.order ? task.order.eco : [];
    if (eco.some((one) => one.op === 'deleteEim' && one.eimId === this.#eim.eimId)) device.onboarded = false;
    if (task) this.#eim.settle(device, task, outcome);
    else this.#eim.unqueued(device, eimTransactionId, outcome);
    return [seqNumber];
  }

  #errorSigned(
    device: Device,
    { euiccPackageErrorDataSigned, euiccSignEPE }: NonNullable<EuiccPackageResult['euiccPackageErrorSigned']>,
  ): number[] {
    const { bytes, value } = euiccPackageErrorDataSigned;
    const { counterValue, eimTransactionId, euiccPackageErrorCode: code } = value;
    if (value.eimId !== this.#eim.eimId) return this.#reject(device, `the error is for eIM ${value.eimId}`);
    const task = matching(device, counterValue, eimTransactionId);
    const why = this.#doubt(device, bytes, euiccSignEPE, task);
    if (why) return this.#reject(device, why, { counterValue });

    const name = packageErrorName(code);
    this.#eim.report(device, 'refused', {
      code,
      name,
      by: 'euicc',
      counterValue,
      queued: task !== undefined,
    });
    const outcome: Outcome = { outcome: 'refused', ok: false, by: 'euicc', code, name };
    if (!task) this.#eim.unqueued(device, eimTransactionId, outcome);
    else if (name === 'replayError' && !task.replayed) {
      // Probably carried out, and the result was lost on the way: ask for stored results before a new counter is used.
      task.replayed = true;
      device.tasks.unshift({
        id: this.#eim.nextTask(),
        kind: 'recovery',
        order: { data: { tags: ['packageResults'] } },
        mode: task.mode,
      });
    } else this.#eim.settle(device, task, outcome);
    return [];
  }

  dataResponse(device: Device, response: IpaEuiccDataResponse): number[] {
    if (response.ipaEuiccDataResponseError) {
      const { eimTransactionId, ipaEuiccDataErrorCode: code } = response.ipaEuiccDataResponseError;
      const shown = IpaEuiccDataResponse.show(response) as {
        ipaEuiccDataResponseError: { ipaEuiccDataErrorCode: unknown };
      };
      const name = String(shown.ipaEuiccDataResponseError.ipaEuiccDataErrorCode);
      this.#refuse(device, outstandingData(device, eimTransactionId), code, name);
      return [];
    }
    const data = response.ipaEuiccData;
    const task = outstandingData(device, data.eimTransactionId);
    let problem: string | undefined;
    if (task) problem = this.#learn(device, data, task);
    const acknowledged = [
      ...(data.euiccPackageResultList ?? []).flatMap((result) => this.packageResult(device, result)),
      ...(data.notificationsList ?? []).flatMap((notification) => this.notification(device, notification)),
    ];
    if (!task) {
      this.#reject(device, 'a data response arrived that nobody asked for');
      return acknowledged;
    }
    const shown = IpaEuiccData.show(data);
    this.#eim.report(device, 'data', { kind: task.kind, data: shown });
    if (problem) this.#failOnboarding(device, task, problem);
    else if (task.kind === 'onboarding') {
      device.onboarded = true;
      device.onboardAfter = undefined;
    }
    this.#eim.settle(device, task, { outcome: 'data', ok: true, data: shown });
    if (task.kind === 'recovery') this.#giveUpReplayed(device);
    return acknowledged;
  }

  /** Certificates are believed when their chain holds; the token is what the IPA says. */
  #learn(device: Device, data: IpaEuiccData, task: Task): string | undefined {
    const { euiccCertificate, eumCertificate } = data;
    if (euiccCertificate && eumCertificate) {
      try {
        const chain = { euicc: euiccCertificate, eum: eumCertificate, eid: eidBytes(device.eid) };
        verifyEuiccChain({ ...chain, cis: this.#eim.ciCertificates });
      } catch (error) {
        if (!isChainProblem(error)) throw error;
        this.#reject(device, `the certificates are not trusted: ${error.message}`);
        return error.message;
      }
      device.euiccCertificate = euiccCertificate.slice();
      device.eumCertificate = eumCertificate.slice();
    } else if (task.kind === 'onboarding') {
      return 'the device did not send the certificates of eUICC and EUM';
    }
    const asked = 'data' in task.order ? task.order.data.tags : [];
    if (
      asked.some((tag) => tag === 'associationToken' || tag === dataTags.associationToken || tag === '84')
    ) {
      device.associationToken = data.associationToken;
    }
    return undefined;
  }

  notification(device: Device, notification: PendingNotification): number[] {
    const { ciCertificates, clock } = this.#eim;
    const checked = checkNotification(
      notification,
      eidBytes(device.eid),
      ciCertificates,
      device.euiccCertificate,
    );
    if (typeof checked === 'string')
      return this.#reject(device, `a notification is not believed: ${checked}`);
    const { seqNumber, event, iccid, data, signature } = checked;
    if (device.notifications.some((known) => known.seqNumber === seqNumber && same(known.data, data))) {
      this.#eim.report(device, 'acknowledged', { seqNumbers: [seqNumber], again: true });
      return [seqNumber];
    }
    device.notifications.push({ seqNumber, data: data.slice(), signature: signature.slice(), at: clock.now });
    this.#eim.report(device, 'notification', { seqNumber, event, ...(iccid && { iccid: hex(iccid) }) });
    return [seqNumber];
  }

  /** The IPA could not do anything with the package. */
  ipaError(device: Device, code: number, eimTransactionId?: Uint8Array): void {
    const name = (EimPackageResultErrorNames as Record<number, string>)[code] ?? String(code);
    const task = device.tasks.find(
      (one) =>
        one.sentAt !== undefined && (!eimTransactionId || same(one.eimTransactionId, eimTransactionId)),
    );
    if (!task) {
      const outcome: Outcome = { outcome: 'refused', ok: false, by: 'ipa', code, name };
      this.#eim.unqueued(device, eimTransactionId, outcome);
    }
    this.#refuse(device, task, code, name);
  }

  #refuse(device: Device, task: Task | undefined, code: number, name: string): void {
    this.#eim.report(device, 'refused', { code, name, by: 'ipa', queued: task !== undefined });
    if (!task) return;
    if (task.kind === 'onboarding') this.#failOnboarding(device, task, `the IPA answered ${name}`);
    this.#eim.settle(device, task, { outcome: 'refused', ok: false, by: 'ipa', code, name });
    if (task.kind === 'recovery') this.#giveUpReplayed(device);
  }

  /** Without certificate and token no package can be made: what waits is refused, and the device has a rest. */
  #failOnboarding(device: Device, onboarding: Task, detail: string): void {
    if (onboarding.kind !== 'onboarding') return;
    device.onboardAfter = this.#eim.clock.now + onboardingPause;
    const outcome: Outcome = { outcome: 'refused', ok: false, by: 'eim', name: 'notOnboarded', detail };
    for (const task of device.tasks.filter(({ kind }) => kind === 'order')) {
      this.#eim.settle(device, task, outcome);
    }
  }

  /** The stored results are here and the one of the replayed package is not among them. */
  #giveUpReplayed(device: Device): void {
    const task = device.tasks.find(({ replayed }) => replayed);
    if (!task) return;
    const detail = 'the eUICC has used this counter value and keeps no result for it';
    this.#eim.settle(device, task, {
      outcome: 'refused',
      ok: false,
      by: 'euicc',
      code: 4,
      name: 'replayError',
      detail,
    });
  }

  /** Why a signed answer is not to be believed. */
  #doubt(
    device: Device,
    data: Uint8Array,
    signature: Uint8Array,
    task: Task | undefined,
  ): string | undefined {
    if (!device.euiccCertificate) return 'the certificate of the eUICC is not known yet';
    const sent = task?.request && decode(EuiccPackageRequest, task.request).eimSignature;
    if (signedByEuicc(device.euiccCertificate, data, signature, device.associationToken, sent))
      return undefined;
    return "the eUICC's signature does not verify";
  }

  #reject(device: Device, why: string, detail: Record<string, unknown> = {}): [] {
    this.#eim.report(device, 'rejected', { why, ...detail });
    return [];
  }
}

function matching(
  device: Device,
  counterValue: number,
  eimTransactionId: Uint8Array | undefined,
): Task | undefined {
  return device.tasks.find(
    (task) =>
      task.counterValue === counterValue &&
      (!eimTransactionId || same(task.eimTransactionId, eimTransactionId)),
  );
}

function outstandingData(device: Device, eimTransactionId: Uint8Array | undefined): Task | undefined {
  return device.tasks.find(
    (task) =>
      task.sentAt !== undefined &&
      'data' in task.order &&
      (!eimTransactionId || same(task.eimTransactionId, eimTransactionId)),
  );
}

export function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
