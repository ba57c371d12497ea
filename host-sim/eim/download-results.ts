import {
  hex,
  type Infer,
  iccidDigits,
  type PendingNotification,
  ProfileDownloadTriggerResult,
  ProfileInstallationResult,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { publicKeyOf, verify } from '../pki/index.js';
import type { IntakeContext } from './intake.js';
import type { Outcome } from './outcome.js';
import { reject } from './package-results.js';
import type { Device, Task } from './state.js';

type InstallationResult = Infer<typeof ProfileInstallationResult>;

/** How downloads end: SGP.32 §2.11.2.3, §3.2.3; procedures.md §§6, 7. */
export class DownloadResults {
  readonly #eim: IntakeContext;

  constructor(context: IntakeContext) {
    this.#eim = context;
  }

  /**
   * A ProfileDownloadTriggerResult. Its installation result belongs to the SM-DP+, to which the IPA brings it: nothing of it
   * is acknowledged.
   */
  take(device: Device, result: Infer<typeof ProfileDownloadTriggerResult>): [] {
    const { eimTransactionId, profileDownloadTriggerResultData } = result;
    const task = device.tasks.find(
      (one) =>
        one.sentAt !== undefined &&
        'download' in one.order &&
        (!eimTransactionId || sameBytes(one.eimTransactionId, eimTransactionId)),
    );
    if (!task) return reject(this.#eim, device, 'a download result arrived that nobody ordered');
    const { profileInstallationResult, profileDownloadError } = profileDownloadTriggerResultData;
    if (profileDownloadError) {
      const shown = ProfileDownloadTriggerResult.show(result) as {
        profileDownloadTriggerResultData: { profileDownloadError: { profileDownloadErrorReason?: unknown } };
      };
      const { profileDownloadErrorReason: code, errorResponse } = profileDownloadError;
      const name = String(
        shown.profileDownloadTriggerResultData.profileDownloadError.profileDownloadErrorReason ??
          'undefinedError',
      );
      this.#settle(device, task, {
        outcome: 'downloadFailed',
        ok: false,
        by: 'ipa',
        name,
        ...(code !== undefined && { code }),
        ...(errorResponse && { errorResponse: hex(errorResponse) }),
      });
      return [];
    }
    return this.#installed(device, task, profileInstallationResult);
  }

  /** An installation result that came as a notification ends the indirect download that it is of. */
  notified(device: Device, { profileInstallationResult }: PendingNotification): void {
    if (!profileInstallationResult) return;
    const { transactionId } = profileInstallationResult.profileInstallationResultData.value;
    const task = device.tasks.find(({ session }) => sameBytes(session?.transactionId, transactionId));
    if (task) this.#installed(device, task, profileInstallationResult);
  }

  #installed(device: Device, task: Task, result: InstallationResult): [] {
    const { bytes, value } = result.profileInstallationResultData;
    const { euiccCertificate } = device;
    if (!euiccCertificate || !verify(publicKeyOf(euiccCertificate), result.euiccSignPIR, bytes))
      return reject(this.#eim, device, 'an installation result is not believed: its signature is wrong');
    const { notificationMetadata, finalResult, transactionId } = value;
    const { seqNumber, iccid } = notificationMetadata;
    if (finalResult.successResult) {
      this.#settle(device, task, {
        outcome: 'downloaded',
        ok: true,
        ...(iccid && { iccid: iccidDigits(iccid) }),
        aid: hex(finalResult.successResult.aid),
        seqNumber,
        transactionId: hex(transactionId),
      });
      return [];
    }
    const shown = ProfileInstallationResult.show(result) as {
      profileInstallationResultData: {
        finalResult: { errorResult: { bppCommandId: unknown; errorReason: unknown } };
      };
    };
    const { bppCommandId, errorReason } = shown.profileInstallationResultData.finalResult.errorResult;
    this.#settle(device, task, {
      outcome: 'downloadFailed',
      ok: false,
      by: 'euicc',
      name: `${bppCommandId}: ${errorReason}`,
      code: finalResult.errorResult.errorReason,
      seqNumber,
    });
    return [];
  }

  #settle(device: Device, task: Task, outcome: Outcome): void {
    this.#eim.report(device, 'download', { ...outcome });
    this.#eim.settle(device, task, outcome);
  }
}
