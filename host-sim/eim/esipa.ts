import {
  AuthenticateClientRequest,
  CancelSessionRequestEs9,
  decode,
  GetBoundProfilePackageRequest,
  GetEimPackageRequest,
  GetEimPackageResponse,
  HandleNotification,
  InitiateAuthenticationRequestEsipa,
  ProvideEimPackageResult,
  ProvideEimPackageResultResponse,
  readElement,
  TransferEimPackageResponse,
  writeElement,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import type { EimHappening } from '../events.js';
import type { Intake } from './intake.js';
import { acknowledgement, attempt, transactionOf } from './messages.js';
import { eidDigits } from './orders.js';
import type { Outbox } from './outbox.js';
import type { Relay } from './relay.js';
import type { Device, EimState } from './state.js';

/** How a message came. */
export interface MessageContext {
  /** 32 digits, if the link knows who is speaking: over MQTT the topic says it. */
  eid?: string;
  /** 'mqtt', 'https', … */
  link: string;
  /** Takes the answer when it comes later, as one does that an SM-DP+ far away has to give first. */
  answer?: (message: Uint8Array) => void;
  /** Told when that answer cannot be given, with what Eim.handle() would throw. */
  failed?: (error: unknown) => void;
  /** Takes what is to be acknowledged by injection, to send it together with more; else that is the answer. */
  acknowledge?: (seqNumbers: readonly number[]) => void;
  /** Told of a message that was not taken and gets no answer of ESipa. */
  refuse?: (why: string) => void;
}

/** What the messages need of their eIM. */
interface EsipaContext {
  readonly state: EimState;
  readonly intake: Intake;
  readonly relay: Relay;
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** Who may speak: anyone, or only devices in the state. */
  readonly accept: 'any' | 'listed';
  /** What this device's poll is to be answered with, whatever is in its queue. */
  probed(eid: string): Uint8Array | undefined;
  /** Makes durable what a message changed. */
  commit(device: Device, acknowledged: readonly number[]): void;
  observe(what: EimHappening, eid: string | undefined, detail: Record<string, unknown>): void;
}

const eidNotFound = 2;
const invalidEid = 3;
const missingEid = 4;
const undefinedError = 127;

/** The eIM's side of ESipa: finds out who speaks, and gives the answer to each message. */
export class Esipa {
  readonly #eim: EsipaContext;

  constructor(context: EsipaContext) {
    this.#eim = context;
  }

  handle(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    const tag = message.length > 1 ? (message[0] << 8) | message[1] : 0;
    switch (tag) {
      case GetEimPackageRequest.tag:
        return this.#poll(message, context);
      case ProvideEimPackageResult.tag:
        return this.#provide(message, context);
      case HandleNotification.tag:
        return this.#notification(message, context);
      case TransferEimPackageResponse.tag:
        return this.#transferred(message, context);
      case InitiateAuthenticationRequestEsipa.tag:
      case AuthenticateClientRequest.tag:
      case GetBoundProfilePackageRequest.tag:
      case CancelSessionRequestEs9.tag: {
        const answer = this.#eim.relay.handle(tag, message, context);
        if (!(answer instanceof Promise)) return answer;
        answer.then(context.answer).catch(context.failed);
        return undefined;
      }
      default:
        this.#eim.observe('rejected', context.eid, {
          why: 'not a message that this eIM takes',
          bytes: message.length,
        });
        context.refuse?.('not a message that this eIM takes');
        return undefined;
    }
  }

  #poll(message: Uint8Array, context: MessageContext): Uint8Array {
    const refuse = (eimPackageError: number, why: string) => {
      this.#eim.observe('rejected', context.eid, { why, eimPackageError });
      return GetEimPackageResponse.write({ eimPackageError });
    };
    const request = attempt(() => decode(GetEimPackageRequest, message));
    let claimed = request?.eidValue;
    if (!request) {
      const children = attempt(() => readElement(message))?.children;
      const field = children?.find((child) => child.tag === 0x5a);
      if (!children || field?.content.length === 16) return refuse(undefinedError, 'the poll cannot be read');
      if (field) return refuse(invalidEid, 'the EID of the poll has not 16 bytes');
      claimed = undefined;
    }
    const device = this.#identify(context, claimed);
    if (typeof device === 'number') return refuse(device, whyNot(device));
    device.lastPoll = this.#eim.clock.now;
    this.#eim.observe(
      'poll',
      device.eid,
      request ? (GetEimPackageRequest.show(request) as Record<string, unknown>) : {},
    );
    const probe = this.#eim.probed(device.eid);
    if (probe) return writeElement(GetEimPackageResponse.tag, probe);
    const task = this.#eim.outbox.due(device, context.link === 'https');
    if (!task) return GetEimPackageResponse.write({ eimPackageError: 1 });
    return writeElement(GetEimPackageResponse.tag, this.#eim.outbox.send(device, task, 'retrieval'));
  }

  #provide(message: Uint8Array, context: MessageContext): Uint8Array {
    const refuse = (provideEimPackageResultError: number, why: string) => {
      this.#eim.observe('rejected', context.eid, { why, provideEimPackageResultError });
      return ProvideEimPackageResultResponse.write({ provideEimPackageResultError });
    };
    const provided = attempt(() => decode(ProvideEimPackageResult, message));
    if (!provided) return refuse(undefinedError, 'the result cannot be read');
    const device = this.#sender(context, provided);
    if (typeof device === 'number') return refuse(device, whyNot(device));
    const acknowledged = this.#eim.intake.take(device, provided.eimPackageResult);
    this.#eim.commit(device, acknowledged);
    return ProvideEimPackageResultResponse.write(
      acknowledged.length > 0 ? { eimAcknowledgements: acknowledged } : { emptyResponse: {} },
    );
  }

  /** HandleNotification has no answer; over MQTT an injected EimAcknowledgements stands for it (docs/mqtt-binding.md). */
  #notification(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    const answer = (seqNumbers: number[]) =>
      context.link === 'mqtt' ? acknowledgement(seqNumbers) : undefined;
    const handled = attempt(() => decode(HandleNotification, message));
    if (!handled) {
      this.#eim.observe('rejected', context.eid, { why: 'the notification cannot be read' });
      context.refuse?.('the notification cannot be read');
      return answer([]);
    }
    const result = handled.provideEimPackageResult;
    const { pendingNotification } = handled;
    let device = result ? this.#sender(context, result) : this.#identify(context, undefined);
    // A notification has no EID of its own; its signature says whose it is.
    if (device === missingEid && pendingNotification)
      device =
        this.#eim.state.devices.find((one) => this.#eim.intake.signed(one, pendingNotification)) ?? device;
    if (typeof device === 'number') {
      this.#eim.observe('rejected', context.eid, { why: whyNot(device) });
      context.refuse?.(whyNot(device));
      return undefined;
    }
    const acknowledged = handled.provideEimPackageResult
      ? this.#eim.intake.take(device, handled.provideEimPackageResult.eimPackageResult)
      : this.#eim.intake.notification(device, handled.pendingNotification);
    this.#eim.commit(device, acknowledged);
    return answer(acknowledged);
  }

  #transferred(message: Uint8Array, context: MessageContext): Uint8Array | undefined {
    const answer = attempt(() => decode(TransferEimPackageResponse, message));
    const device = answer ? this.#identify(context, undefined) : undefinedError;
    if (!answer || typeof device === 'number') {
      const why = answer ? whyNot(device as number) : 'the answer cannot be read';
      this.#eim.observe('rejected', context.eid, { why });
      return undefined;
    }
    if (answer.eimPackageReceived) return undefined;
    let acknowledged: number[] = [];
    if (answer.eimPackageError !== undefined) this.#eim.intake.ipaError(device, answer.eimPackageError);
    else acknowledged = this.#eim.intake.take(device, answer);
    this.#eim.commit(device, acknowledged);
    if (acknowledged.length === 0) return undefined;
    if (!context.acknowledge) return acknowledgement(acknowledged);
    context.acknowledge(acknowledged);
    return undefined;
  }

  /** The device that speaks, or the error code for one that may not. */
  #identify(context: MessageContext, claimed: Uint8Array | undefined): Device | number {
    const digits = claimed && eidDigits(claimed);
    if (claimed && !digits) return invalidEid;
    const eid = digits ?? context.eid;
    if (eid === undefined) return missingEid;
    if (!/^\d{32}$/.test(eid) || (context.eid !== undefined && context.eid !== eid)) return invalidEid;
    const device = this.#eim.state.device(eid);
    if (device) return device;
    return this.#eim.accept === 'listed' ? eidNotFound : this.#eim.state.add(eid);
  }

  /** As {@link #identify}; some IPAs leave the EID out, then the transaction tells who it is. */
  #sender(context: MessageContext, provided: ProvideEimPackageResult): Device | number {
    if (provided.eidValue || context.eid !== undefined) return this.#identify(context, provided.eidValue);
    const id = transactionOf(provided);
    const owner = (device: Device) => device.tasks.some((task) => sameBytes(task.eimTransactionId, id));
    return this.#eim.state.devices.find(owner) ?? missingEid;
  }
}

function whyNot(code: number): string {
  if (code === eidNotFound) return 'the device is not listed';
  if (code === missingEid) return 'the message does not say who sent it';
  return 'the EID is none, or not the one of the link';
}
