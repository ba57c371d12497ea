import {
  DeviceInfo,
  type EimPackageResult,
  EimPackageResultErrorNames,
  EuiccInfo2,
  IpaEuiccData,
  IpaEuiccDataResponse,
  iccidDigits,
  type PendingNotification,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import type { EimHappening } from '../events.js';
import { isChainProblem, verifyEuiccChain } from '../pki/index.js';
import { DownloadResults } from './download-results.js';
import { dataTags, eidBytes } from './orders.js';
import type { Outcome } from './outcome.js';
import { PackageResults, reject } from './package-results.js';
import type { Device, Task } from './state.js';
import { checkNotification } from './verification.js';

/** What the intake needs of its eIM. */
export interface IntakeContext {
  readonly eimId: string;
  readonly ciCertificates: readonly Uint8Array[];
  readonly clock: Clock;
  nextTask(): number;
  /** Reported once the state is durable. */
  report(device: Device, what: EimHappening, detail: Record<string, unknown>): void;
  /** A compact notification made whole, as far as that is possible. */
  whole(device: Device, notification: PendingNotification): PendingNotification;
  /** A verified notification that an SM-DP+ is to have. */
  forward(device: Device, notification: PendingNotification): void;
  /** The task is over and no longer in the queue. */
  settle(device: Device, task: Task, outcome: Outcome): void;
  /** The answer to something that was never queued, such as a forged package. */
  unqueued(device: Device, eimTransactionId: Uint8Array | undefined, outcome: Outcome): void;
}

/** What BF50 and BF4E have in common. */
type Delivered = Pick<
  Partial<EimPackageResult>,
  | 'euiccPackageResult'
  | 'ePRAndNotifications'
  | 'ipaEuiccDataResponse'
  | 'profileDownloadTriggerResult'
  | 'eimPackageResultResponseError'
>;

/** After a failed onboarding the eIM stays silent for this long. */
const onboardingPause = 60_000;

/**
 * Takes what a device delivers: verifies it, puts it into the state, settles the tasks it answers. Every function returns
 * the eUICC sequence numbers that may be acknowledged once the state is saved.
 */
export class Intake {
  readonly #eim: IntakeContext;
  readonly #results: PackageResults;
  readonly #downloads: DownloadResults;

  constructor(context: IntakeContext) {
    this.#eim = context;
    this.#downloads = new DownloadResults(context);
    this.#results = new PackageResults(context);
  }

  take(device: Device, result: Delivered): number[] {
    if (result.euiccPackageResult) return this.#results.take(device, result.euiccPackageResult);
    if (result.ePRAndNotifications) {
      const { euiccPackageResult, notificationList } = result.ePRAndNotifications;
      return [
        ...this.#results.take(device, euiccPackageResult),
        ...notificationList.flatMap((notification) => this.notification(device, notification)),
      ];
    }
    if (result.ipaEuiccDataResponse) return this.dataResponse(device, result.ipaEuiccDataResponse);
    if (result.eimPackageResultResponseError) {
      const { eimTransactionId, eimPackageResultErrorCode } = result.eimPackageResultResponseError;
      this.ipaError(device, eimPackageResultErrorCode, eimTransactionId);
      return [];
    }
    if (result.profileDownloadTriggerResult)
      return this.#downloads.take(device, result.profileDownloadTriggerResult);
    return reject(this.#eim, device, 'a result arrived that cannot be read');
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
      ...(data.euiccPackageResultList ?? []).flatMap((result) => this.#results.take(device, result)),
      ...(data.notificationsList ?? []).flatMap((notification) => this.notification(device, notification)),
    ];
    if (!task) {
      reject(this.#eim, device, 'a data response arrived that nobody asked for');
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
        reject(this.#eim, device, `the certificates are not trusted: ${error.message}`);
        return error.message;
      }
      device.euiccCertificate = euiccCertificate.slice();
      device.eumCertificate = eumCertificate.slice();
    } else if (task.kind === 'onboarding' && !device.onboarded) {
      return 'the device did not send the certificates of eUICC and EUM';
    }
    const asked = 'data' in task.order ? task.order.data.tags : [];
    if (data.euiccInfo2) device.euiccInfo2 = EuiccInfo2.write(data.euiccInfo2);
    if (data.deviceInfo) device.deviceInfo = DeviceInfo.write(data.deviceInfo);
    if (asked.some((tag) => tag === 'ipaCapabilities' || tag === dataTags.ipaCapabilities || tag === 'A8'))
      device.ipaFeatures = data.ipaCapabilities?.ipaFeatures ?? [];
    if (
      asked.some((tag) => tag === 'associationToken' || tag === dataTags.associationToken || tag === '84')
    ) {
      device.associationToken = data.associationToken;
    }
    return undefined;
  }

  /** Is the notification of this device's eUICC? */
  signed(device: Device, received: PendingNotification): boolean {
    return typeof this.#check(device, this.#eim.whole(device, received)) !== 'string';
  }

  #check(device: Device, notification: PendingNotification) {
    const { ciCertificates } = this.#eim;
    return checkNotification(notification, eidBytes(device.eid), ciCertificates, device.euiccCertificate);
  }

  notification(device: Device, received: PendingNotification): number[] {
    const { clock } = this.#eim;
    const notification = this.#eim.whole(device, received);
    const checked = this.#check(device, notification);
    if (typeof checked === 'string')
      return reject(this.#eim, device, `a notification is not believed: ${checked}`);
    const { seqNumber, event, iccid, data, signature } = checked;
    if (device.notifications.some((known) => known.seqNumber === seqNumber && sameBytes(known.data, data))) {
      this.#eim.report(device, 'acknowledged', { seqNumbers: [seqNumber], again: true });
      return [seqNumber];
    }
    this.#downloads.notified(device, notification);
    this.#eim.forward(device, notification);
    device.notifications.push({ seqNumber, data: data.slice(), signature: signature.slice(), at: clock.now });
    this.#eim.report(device, 'notification', {
      seqNumber,
      event,
      ...(iccid && { iccid: iccidDigits(iccid) }),
    });
    return [seqNumber];
  }

  /** The IPA could not do anything with the package. */
  ipaError(device: Device, code: number, eimTransactionId?: Uint8Array): void {
    const name = (EimPackageResultErrorNames as Record<number, string>)[code] ?? String(code);
    const task = device.tasks.find(
      (one) =>
        one.sentAt !== undefined && (!eimTransactionId || sameBytes(one.eimTransactionId, eimTransactionId)),
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
}

function outstandingData(device: Device, eimTransactionId: Uint8Array | undefined): Task | undefined {
  return device.tasks.find(
    (task) =>
      task.sentAt !== undefined &&
      'data' in task.order &&
      (!eimTransactionId || sameBytes(task.eimTransactionId, eimTransactionId)),
  );
}
