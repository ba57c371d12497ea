import {
  AuthenticateClientRequest,
  CancelSessionRequestEs9,
  GetBoundProfilePackageRequest,
  HandleNotification,
  InitiateAuthenticationRequestEsipa,
  TransferEimPackageResponse,
} from '../asn1/index.js';
import type { Eim } from './eim.js';
import type { MessageContext } from './esipa.js';

/** What a link whose requests have responses of their own says to one message. */
export type Reply =
  | { readonly kind: 'answer'; readonly message: Uint8Array }
  /** Taken; there is no answer to it. */
  | { readonly kind: 'taken' }
  /** No message that an eIM takes, or not from whoever sent it. */
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * One ESipa message and the eIM's answer, which may come later.
 * @throws what the eIM's store throws; nothing was acknowledged then
 */
export async function ask(
  eim: Eim,
  message: Uint8Array,
  context: Omit<MessageContext, 'answer' | 'refuse'>,
): Promise<Reply> {
  let settle: (message: Uint8Array) => void = () => {};
  const later = new Promise<Uint8Array>((resolve) => {
    settle = resolve;
  });
  let refusal: string | undefined;
  const refuse = (why: string) => {
    refusal = why;
  };
  const answer = eim.handle(message, { ...context, answer: settle, refuse });
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
