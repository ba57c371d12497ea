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
import { base64, bytesOf, failure, type JsonAnswer, type JsonBody, success, textOf } from '../http/index.js';
import type { RspServer } from './bindings.js';
import { Refusal, type RspFunction, statusCodes } from './refusal.js';

// JSON binding of ES9+ and ES11: SGP.22 §6.5.2, procedures.md §6. Octet strings are base64 of whole TLVs, but the
// euiccChallenge is base64 of its bytes and a transactionId is hex.

/** @returns undefined where the function answers with 204 */
export function handleJson(server: RspServer, called: RspFunction, body: JsonBody): JsonAnswer | undefined {
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
  return failure({
    subjectCode,
    reasonCode,
    subjectIdentifier: called ?? '',
    message: message || statusCodes[refusal.status].text,
  });
}

function answer(server: RspServer, called: RspFunction, body: JsonBody): JsonAnswer | undefined {
  switch (called) {
    case 'initiateAuthentication': {
      const done = server.initiateAuthentication({
        euiccChallenge: exactly(Challenge, bytesOf(body, 'euiccChallenge')),
        smdpAddress: textOf(body, 'smdpAddress'),
        euiccInfo1: decode(EuiccInfo1, bytesOf(body, 'euiccInfo1')),
      });
      return success({
        transactionId: hex(done.transactionId),
        serverSigned1: base64(done.serverSigned1.bytes),
        serverSignature1: base64(Signature.write(done.serverSignature1)),
        euiccCiPKIdToBeUsed: base64(KeyIdentifier.write(done.euiccCiPKIdToBeUsed)),
        serverCertificate: base64(done.serverCertificate),
      });
    }
    case 'authenticateClient': {
      const request = {
        transactionId: transactionId(body),
        authenticateServerResponse: decode(
          signed(AuthenticateServerResponse),
          bytesOf(body, 'authenticateServerResponse'),
        ),
      };
      if (server.authenticateClientEs11) {
        const events = server.authenticateClientEs11(request);
        return success({ transactionId: hex(events.transactionId), eventEntries: events.eventEntries });
      }
      const done = need(server.authenticateClient?.(request));
      return success({
        transactionId: hex(done.transactionId),
        profileMetadata: base64(done.profileMetadata.bytes),
        smdpSigned2: base64(done.smdpSigned2.bytes),
        smdpSignature2: base64(Signature.write(done.smdpSignature2)),
        smdpCertificate: base64(done.smdpCertificate),
      });
    }
    case 'getBoundProfilePackage': {
      const done = need(
        server.getBoundProfilePackage?.({
          transactionId: transactionId(body),
          prepareDownloadResponse: decode(
            signed(PrepareDownloadResponse),
            bytesOf(body, 'prepareDownloadResponse'),
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
        cancelSessionResponse: decode(CancelSessionResponse, bytesOf(body, 'cancelSessionResponse')),
      });
      return success({});
    }
    case 'handleNotification': {
      const handle = need(server.handleNotification?.bind(server));
      handle(decode(PendingNotification, bytesOf(body, 'pendingNotification')));
      return undefined;
    }
  }
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Asn1Error('unexpected', 'this server does not have that function');
  return value;
}

/** Bytes without tag and length, within the bounds of a type. */
function exactly(type: Type<Uint8Array>, bytes: Uint8Array): Uint8Array {
  return decode(type, type.write(bytes));
}

const transactionId = (body: JsonBody) => exactly(TransactionId, unhex(textOf(body, 'transactionId')));
