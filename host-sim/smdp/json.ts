import {
  Asn1Error,
  AuthenticateServerResponse,
  CancelSessionResponse,
  Challenge,
  decode,
  EuiccInfo1,
  hex,
  KeyIdentifier,
  PendingNotification,
  PrepareDownloadResponse,
  Signature,
  signed,
  TransactionId,
  type Type,
  unhex,
} from '../asn1/index.js';
import type { RspServer } from './bindings.js';
import { Refusal, type RspFunction, statusCodes } from './refusal.js';

// JSON binding of ES9+ and ES11: SGP.22 §6.5.2, procedures.md §6. Octet strings are base64 of whole TLVs, but the
// euiccChallenge is base64 of its bytes and a transactionId is hex.

/** An answer; the package is apart, so that it can be streamed. */
export interface JsonAnswer {
  body: Record<string, unknown>;
  /** Goes into the body as base64 under this name, last. */
  large?: { name: string; bytes: Uint8Array };
}

type Body = Readonly<Record<string, unknown>>;

/** @returns undefined where the function answers with 204 */
export function handleJson(server: RspServer, called: RspFunction, body: Body): JsonAnswer | undefined {
  try {
    return answer(server, called, body);
  } catch (error) {
    if (error instanceof Asn1Error) return failed(new Refusal('1.6/4.2', error.message), called);
    if (error instanceof Refusal) return failed(error, called);
    throw error;
  }
}

/** functionExecutionStatus "Failed". */
export function failed(refusal: Refusal, called?: RspFunction): JsonAnswer {
  const { subjectCode, reasonCode, message } = refusal;
  const statusCodeData = {
    subjectCode,
    reasonCode,
    subjectIdentifier: called ?? '',
    message: message || statusCodes[refusal.status].text,
  };
  return { body: { header: { functionExecutionStatus: { status: 'Failed', statusCodeData } } } };
}

function answer(server: RspServer, called: RspFunction, body: Body): JsonAnswer | undefined {
  switch (called) {
    case 'initiateAuthentication': {
      const done = server.initiateAuthentication({
        euiccChallenge: exactly(Challenge, base64(body, 'euiccChallenge')),
        smdpAddress: text(body, 'smdpAddress'),
        euiccInfo1: decode(EuiccInfo1, base64(body, 'euiccInfo1')),
      });
      return success({
        transactionId: hex(done.transactionId),
        serverSigned1: encode64(done.serverSigned1.bytes),
        serverSignature1: encode64(Signature.write(done.serverSignature1)),
        euiccCiPKIdToBeUsed: encode64(KeyIdentifier.write(done.euiccCiPKIdToBeUsed)),
        serverCertificate: encode64(done.serverCertificate),
      });
    }
    case 'authenticateClient': {
      const request = {
        transactionId: transactionId(body),
        authenticateServerResponse: decode(
          signed(AuthenticateServerResponse),
          base64(body, 'authenticateServerResponse'),
        ),
      };
      if (server.authenticateClientEs11) {
        const events = server.authenticateClientEs11(request);
        return success({ transactionId: hex(events.transactionId), eventEntries: events.eventEntries });
      }
      const done = need(server.authenticateClient?.(request));
      return success({
        transactionId: hex(done.transactionId),
        profileMetadata: encode64(done.profileMetadata.bytes),
        smdpSigned2: encode64(done.smdpSigned2.bytes),
        smdpSignature2: encode64(Signature.write(done.smdpSignature2)),
        smdpCertificate: encode64(done.smdpCertificate),
      });
    }
    case 'getBoundProfilePackage': {
      const done = need(
        server.getBoundProfilePackage?.({
          transactionId: transactionId(body),
          prepareDownloadResponse: decode(
            signed(PrepareDownloadResponse),
            base64(body, 'prepareDownloadResponse'),
          ),
        }),
      );
      return {
        ...success({ transactionId: hex(done.transactionId) }),
        large: { name: 'boundProfilePackage', bytes: done.boundProfilePackage },
      };
    }
    case 'cancelSession': {
      const cancel = need(server.cancelSession?.bind(server));
      cancel({
        transactionId: transactionId(body),
        cancelSessionResponse: decode(CancelSessionResponse, base64(body, 'cancelSessionResponse')),
      });
      return success({});
    }
    case 'handleNotification': {
      const handle = need(server.handleNotification?.bind(server));
      handle(decode(PendingNotification, base64(body, 'pendingNotification')));
      return undefined;
    }
  }
}

const success = (members: Record<string, unknown>): JsonAnswer => ({
  body: { header: { functionExecutionStatus: { status: 'Executed-Success' } }, ...members },
});

const encode64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Asn1Error('unexpected', 'this server does not have that function');
  return value;
}

function text(body: Body, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new Asn1Error('missing', `${name} is missing, or is no string`);
  return value;
}

function base64(body: Body, name: string): Uint8Array {
  const value = text(body, name).replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 === 1)
    throw new Asn1Error('unexpected', `${name} is not base64`);
  return Uint8Array.from(Buffer.from(value, 'base64'));
}

/** Bytes without tag and length, within the bounds of a type. */
function exactly(type: Type<Uint8Array>, bytes: Uint8Array): Uint8Array {
  return decode(type, type.write(bytes));
}

const transactionId = (body: Body) => exactly(TransactionId, unhex(text(body, 'transactionId')));
