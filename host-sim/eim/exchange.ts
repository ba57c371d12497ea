import {
  AuthenticateClientRequest,
  CancelSessionRequestEs9,
  GetBoundProfilePackageRequest,
  HandleNotification,
  InitiateAuthenticationRequestEsipa,
  TransferEimPackageResponse,
} from '../asn1/index.js';
import type { Eim } from './eim.js';
import { EimError } from './error.js';
import type { MessageContext } from './esipa.js';

/** What a link whose requests have responses of their own says to one message. */
export type Reply =
  | { readonly kind: 'answer'; readonly message: Uint8Array }
  /** Taken; there is no answer to it. */
  | { readonly kind: 'taken' }
  /** The eIM cannot keep what the message says: it acknowledges nothing, and is to be asked again later. */
  | { readonly kind: 'unsaved'; readonly why: string; readonly retryAfter: number }
  /** No message that an eIM takes, or not from whoever sent it. */
  | { readonly kind: 'unknown'; readonly why: string };

/** For which a device leaves an eIM in peace that cannot save, seconds: as long as its operator needs to make room. */
const pause = 60;

/** One ESipa message and the eIM's answer, which may come later. */
export async function ask(
  eim: Eim,
  message: Uint8Array,
  context: Omit<MessageContext, 'answer' | 'failed' | 'refuse'>,
): Promise<Reply> {
  try {
    return await replyOf(eim, message, context);
  } catch (error) {
    if (!(error instanceof EimError && error.code === 'store')) throw error;
    return { kind: 'unsaved', why: error.message, retryAfter: pause };
  }
}

async function replyOf(
  eim: Eim,
  message: Uint8Array,
  context: Omit<MessageContext, 'answer' | 'failed' | 'refuse'>,
): Promise<Reply> {
  let answerLater: (message: Uint8Array) => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const later = new Promise<Uint8Array>((resolve, reject) => {
    answerLater = resolve;
    failed = reject;
  });
  let refusal: string | undefined;
  const refuse = (why: string) => {
    refusal = why;
  };
  const answer = eim.handle(message, { ...context, answer: answerLater, failed, refuse });
  if (refusal !== undefined) return { kind: 'unknown', why: refusal };
  if (answer) return { kind: 'answer', message: answer };
  switch (message.length > 1 ? (message[0] << 8) | message[1] : 0) {
    case InitiateAuthenticationRequestEsipa.tag:
    case AuthenticateClientRequest.tag:
    case GetBoundProfilePackageRequest.tag:
    case CancelSessionRequestEs9.tag:
      return { kind: 'answer', message: await later };
    case HandleNotification.tag:
    case TransferEimPackageResponse.tag:
      return { kind: 'taken' };
    default:
      return { kind: 'unknown', why: 'not a message that this eIM takes' };
  }
}
