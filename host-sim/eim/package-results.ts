import { decode, EuiccPackageRequest, type EuiccPackageResult, hex } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { IntakeContext } from './intake.js';
import { operationsOf } from './orders.js';
import { type Outcome, operationResult, packageErrorName } from './outcome.js';
import type { Device, Task } from './state.js';
import { signedByEuicc } from './verification.js';

/**
 * What the eUICC answers to a package: a signed result, a signed error or an unsigned one. It is matched with its task by
 * counter and transaction, and believed when the signature holds.
 */
export class PackageResults {
  readonly #eim: IntakeContext;

  constructor(context: IntakeContext) {
    this.#eim = context;
  }

  /** @returns the sequence numbers that may be acknowledged once the state is saved */
  take(device: Device, result: EuiccPackageResult): number[] {
    if (result.euiccPackageResultSigned) return this.#resultSigned(device, result.euiccPackageResultSigned);
    if (result.euiccPackageErrorSigned) return this.#errorSigned(device, result.euiccPackageErrorSigned);
    const { eimId, eimTransactionId } = result.euiccPackageErrorUnsigned;
    if (eimId !== this.#eim.eimId) return reject(this.#eim, device, `the unsigned error is for eIM ${eimId}`);
    const task = device.tasks.find(
      (one) =>
        one.counterValue !== undefined &&
        (!eimTransactionId || sameBytes(one.eimTransactionId, eimTransactionId)),
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
      return reject(this.#eim, device, `the result is for eIM ${value.eimId}`, { seqNumber });
    }
    if (device.results.some((known) => known.seqNumber === seqNumber && sameBytes(known.data, bytes))) {
      this.#eim.report(device, 'acknowledged', { seqNumbers: [seqNumber], again: true });
      return [seqNumber];
    }
    const task = matching(device, counterValue, eimTransactionId);
    const why = this.#doubt(device, bytes, euiccSignEPR, task);
    if (why) return reject(this.#eim, device, why, { seqNumber, counterValue });

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
    if (value.eimId !== this.#eim.eimId)
      return reject(this.#eim, device, `the error is for eIM ${value.eimId}`);
    const task = matching(device, counterValue, eimTransactionId);
    const why = this.#doubt(device, bytes, euiccSignEPE, task);
    if (why) return reject(this.#eim, device, why, { counterValue });

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
}

/** Nothing of this is taken, and nothing acknowledged. */
export function reject(
  eim: IntakeContext,
  device: Device,
  why: string,
  detail: Record<string, unknown> = {},
): [] {
  eim.report(device, 'rejected', { why, ...detail });
  return [];
}

function matching(
  device: Device,
  counterValue: number,
  eimTransactionId: Uint8Array | undefined,
): Task | undefined {
  return device.tasks.find(
    (task) =>
      task.counterValue === counterValue &&
      (!eimTransactionId || sameBytes(task.eimTransactionId, eimTransactionId)),
  );
}
