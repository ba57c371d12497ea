import { EuiccPackageRequest, EuiccPackageSigned, hex, tokenDo, toSign } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import { type EimCredentials, sign } from '../pki/index.js';
import {
  dataRequest,
  downloadTrigger,
  eidBytes,
  euiccPackage,
  operationsOf,
  type PackageOrder,
} from './orders.js';
import type { Device, EimState, Mode, Task } from './state.js';

/** What the outbox needs of its eIM. */
interface OutboxContext {
  readonly credentials: EimCredentials;
  readonly state: EimState;
  readonly clock: Clock;
  readonly random: () => number;
  readonly transactionIdLength: number;
  /** After this time a poll may be answered with a package that was injected; milliseconds. */
  readonly resendAfter: number;
  /** Something is being sent. */
  report(device: Device, detail: Record<string, unknown>): void;
}

const onboardingOrder = {
  data: { tags: ['euiccInfo2', 'associationToken', 'eumCertificate', 'euiccCertificate'] },
} as const;

/** What an indirect download needs to know beside. */
const downloadOnboardingOrder = {
  data: { tags: [...onboardingOrder.data.tags, 'ipaCapabilities', 'deviceInfo'] },
} as const;

/** The same of a device whose certificates are known. */
const downloadOrder = { data: { tags: ['ipaCapabilities', 'deviceInfo'] } } as const;

/** Decides what a device gets next, and makes the bytes of it. */
export class Outbox {
  readonly #context: OutboxContext;

  constructor(context: OutboxContext) {
    this.#context = context;
  }

  /**
   * What to send to this device now, if anything.
   * @param isUnreachable it speaks over a link that nothing can be injected over: what was, has gone another way
   */
  due(device: Device, isUnreachable = false): Task | undefined {
    const { now } = this.#context.clock;
    const head = device.tasks.at(0);
    if (head?.sentAt !== undefined) {
      const underWay =
        !isUnreachable && head.mode === 'injection' && now - head.sentAt < this.#context.resendAfter;
      return underWay ? undefined : head;
    }
    const isDownload = head !== undefined && 'download' in head.order && device.ipaFeatures === undefined;
    if ((!device.onboarded || isDownload) && head?.kind !== 'onboarding') {
      if (device.onboardAfter !== undefined && now < device.onboardAfter) return undefined;
      const { mode = 'retrieval' } = head ?? {};
      device.tasks.unshift({
        id: this.#context.state.nextTask(),
        kind: 'onboarding',
        order: isDownload ? (device.onboarded ? downloadOrder : downloadOnboardingOrder) : onboardingOrder,
        mode,
      });
    }
    return device.tasks.at(0);
  }

  /** The bytes of a task: made once, durable before they leave, the same whenever they are sent again. */
  send(device: Device, task: Task, mode: Mode): Uint8Array {
    const again = task.request !== undefined;
    task.mode = mode;
    task.sentAt = this.#context.clock.now;
    if (!task.request) {
      task.eimTransactionId = this.#transactionId();
      if ('data' in task.order) task.request = dataRequest(task.order.data, task.eimTransactionId);
      else if ('download' in task.order) {
        const { download } = task.order;
        const withheld =
          download.way === 'indirect' && (device.ipaFeatures?.includes('eimDownloadDataHandling') ?? false);
        task.request = downloadTrigger(download, task.eimTransactionId, withheld);
      } else {
        task.counterValue = ++device.counterValue;
        task.request = this.#package(device, task.order, task.counterValue, task.eimTransactionId);
        device.lastPackage = task.request;
      }
      this.#context.state.save();
    }
    this.#context.report(device, {
      kind: task.kind,
      operations: operationsOf(task.order),
      mode,
      bytes: task.request.length,
      ...(task.counterValue !== undefined && { counterValue: task.counterValue }),
      eimTransactionId: hex(task.eimTransactionId!),
      ...(again && { again }),
    });
    return task.request;
  }

  /** A complete, signed BF51. */
  #package(
    device: Device,
    order: PackageOrder,
    counterValue: number,
    eimTransactionId: Uint8Array,
    privateKey = this.#context.credentials.privateKey,
  ): Uint8Array {
    const signed = toSign(EuiccPackageSigned, {
      eimId: this.#context.credentials.eimId,
      eidValue: eidBytes(device.eid),
      counterValue,
      eimTransactionId,
      euiccPackage: euiccPackage(order),
    });
    const eimSignature = sign(privateKey, signed.bytes, tokenDo(device.associationToken));
    return EuiccPackageRequest.write({ euiccPackageSigned: signed, eimSignature });
  }

  /** Goes over the air with the package and with its result, so it is short; nothing that is on its way has the same. */
  #transactionId(): Uint8Array {
    const { random, state, transactionIdLength: length } = this.#context;
    const id = Uint8Array.from({ length }, () => Math.floor(random() * 256) & 0xff);
    const isOf = (task: Task) => sameBytes(task.eimTransactionId, id);
    while (state.devices.some(({ tasks }) => tasks.some(isOf)))
      for (let at = length - 1; at >= 0 && ++id[at] === 0; at--);
    return id;
  }

  /** Signed with a key that is not the eIM's. */
  forge(device: Device, order: PackageOrder): Uint8Array {
    const key = Uint8Array.from(this.#context.credentials.privateKey);
    key[31] ^= 1;
    return this.#package(device, order, device.counterValue + 1, this.#transactionId(), key);
  }

  /** Signed well, with a counter that was used before. */
  stale(device: Device, order: PackageOrder): Uint8Array {
    return this.#package(device, order, device.counterValue, this.#transactionId());
  }
}
