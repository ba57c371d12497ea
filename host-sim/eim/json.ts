import { Asn1Error, concat, type Element, hex, readElement, unhex, writeElement } from '../asn1/index.js';
import { base64, bytesOf, failure, type JsonAnswer, type JsonBody, success, textOf } from '../http/index.js';

// JSON binding of ESipa: SGP.32 §6.4.1, esipa.md §8. Messages are put into ASN.1 and back, so that one queue stands behind both.

export const jsonFunctions = {
  initiateAuthentication: 0xbf39,
  getBoundProfilePackage: 0xbf3a,
  authenticateClient: 0xbf3b,
  handleNotification: 0xbf3d,
  cancelSession: 0xbf41,
  getEimPackage: 0xbf4f,
  provideEimPackageResult: 0xbf50,
} as const;

export type JsonFunction = keyof typeof jsonFunctions;

/** The request in ASN.1. @throws Asn1Error for members that are missing or none */
export function requestOf(called: JsonFunction, body: JsonBody): Uint8Array {
  return writeElement(jsonFunctions[called], concat(partsOf(called, body)));
}

function partsOf(called: JsonFunction, body: JsonBody): Uint8Array[] {
  switch (called) {
    case 'getEimPackage': {
      const parts = [eid(body)];
      if (body.notifyStateChange === true) parts.push(writeElement(0x80, new Uint8Array(0)));
      if (body.stateChangeCause !== undefined) parts.push(integer(0x81, body.stateChangeCause));
      const plmn = optional(body, 'rPlmn') ?? optional(body, 'rPLMN');
      if (plmn) parts.push(writeElement(0x82, plmn));
      return parts;
    }
    case 'provideEimPackageResult':
      return [...(body.eidValue === undefined ? [] : [eid(body)]), bytesOf(body, 'eimPackageResult')];
    case 'handleNotification': {
      const notification = optional(body, 'pendingNotification');
      return [notification ? writeElement(0xa0, notification) : bytesOf(body, 'provideEimPackageResult')];
    }
    case 'initiateAuthentication': {
      const parts = [writeElement(0x81, bytesOf(body, 'euiccChallenge'))];
      if (body.smdpAddress !== undefined)
        parts.push(writeElement(0x83, Buffer.from(textOf(body, 'smdpAddress'), 'utf8')));
      if (body.euiccInfo1 !== undefined) parts.push(bytesOf(body, 'euiccInfo1'));
      if (body.eimTransactionId !== undefined) parts.push(writeElement(0x82, id(body, 'eimTransactionId')));
      return parts;
    }
    case 'authenticateClient':
      return [writeElement(0x80, id(body)), bytesOf(body, 'authenticateServerResponse')];
    case 'getBoundProfilePackage':
      return [writeElement(0x80, id(body)), bytesOf(body, 'prepareDownloadResponse')];
    case 'cancelSession':
      // ASN.1 has the contents of the response under a tag of its own.
      return [
        writeElement(0x80, id(body)),
        writeElement(0xa1, readElement(bytesOf(body, 'cancelSessionResponse')).content),
      ];
  }
}

/** The answer in JSON. @param message as the eIM gives it */
export function answerOf(called: JsonFunction, message: Uint8Array): JsonAnswer {
  const [answer, ...rest] = readElement(message).children;
  if (!answer) return success({});
  switch (called) {
    case 'getEimPackage':
      if (answer.tag === 0x02) return success({ eimPackageError: numberOf(answer) });
      return success({ [packages[answer.tag] ?? 'unknown']: base64(answer.bytes) });
    case 'provideEimPackageResult':
      if (answer.tag === 0x02) return failed(called, numberOf(answer));
      return success(answer.tag === 0xbf53 ? { eimAcknowledgements: base64(answer.bytes) } : {});
    case 'initiateAuthentication':
      return answer.tag === 0xa0 ? initiated(answer.children) : failed(called, numberOf(answer));
    case 'authenticateClient':
      if (answer.tag === 0xa0) return authenticated(answer.children);
      return answer.tag === 0xa1 ? event(answer.children) : failed(called, numberOf(answer));
    case 'getBoundProfilePackage': {
      if (answer.tag !== 0xa0) return failed(called, numberOf(answer));
      const transactionId = answer.children.find(({ tag }) => tag === 0x80);
      const bpp = answer.children.find(({ tag }) => tag === 0xbf36);
      return {
        ...success(transactionId ? { transactionId: hexId(transactionId) } : {}),
        large: { name: 'boundProfilePackage', bytes: bpp?.bytes ?? new Uint8Array(0) },
      };
    }
    case 'cancelSession':
      return answer.tag === 0xa0 ? success({}) : failed(called, numberOf(answer));
    default:
      throw new Asn1Error('unexpected', `${called} has no answer, but got ${rest.length + 1} elements`);
  }
}

const packages: Readonly<Record<number, string>> = {
  0xbf51: 'euiccPackageRequest',
  0xbf52: 'ipaEuiccDataRequest',
  0xbf54: 'profileDownloadTriggerRequest',
};

function initiated(parts: readonly Element[]): JsonAnswer {
  const members: Record<string, unknown> = {};
  for (const { tag, bytes, content } of parts) {
    if (tag === 0x80) members.transactionId = hex(content).toUpperCase();
    else if (tag === 0x5f37) members.serverSignature1 = base64(bytes);
    else if (tag === 0x04) members.euiccCiPKIdentifierToBeUsed = base64(bytes);
    else if (tag === 0x0c) members.matchingId = Buffer.from(content).toString('utf8');
    else if (tag === 0xa2) members.ctxParams1 = base64(content);
    else if (tag === 0x30)
      members['serverSigned1' in members ? 'serverCertificate' : 'serverSigned1'] = base64(bytes);
  }
  return success(members);
}

function authenticated(parts: readonly Element[]): JsonAnswer {
  const members: Record<string, unknown> = {};
  for (const { tag, bytes, content } of parts) {
    if (tag === 0x80) members.transactionId = hex(content).toUpperCase();
    else if (tag === 0xbf25) members.profileMetadata = base64(bytes);
    else if (tag === 0x5f37) members.smdpSignature2 = base64(bytes);
    else if (tag === 0x04) members.hashCc = base64(bytes);
    else if (tag === 0x30)
      members['smdpSigned2' in members ? 'smdpCertificate' : 'smdpSigned2'] = base64(bytes);
  }
  return success(members);
}

function event(parts: readonly Element[]): JsonAnswer {
  const members: Record<string, unknown> = {};
  for (const part of parts) {
    if (part.tag === 0x80) members.transactionId = hexId(part);
    else if (part.tag === 0xbf54) members.profileDownloadTrigger = base64(part.bytes);
  }
  return success(members);
}

/**
 * The table from ASN.1 codes to subject and reason is in no source that we have; the code
 * stands in the message (docs/interpretation-log.md).
 */
export function failed(called: string, code: number | string): JsonAnswer {
  return failure({
    subjectCode: '1.6',
    reasonCode: '4.2',
    subjectIdentifier: called,
    message: typeof code === 'number' ? `error ${code}` : code,
  });
}

const hexId = ({ content }: Element) => hex(content).toUpperCase();

function numberOf({ content }: Element): number {
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

function optional(body: JsonBody, name: string): Uint8Array | undefined {
  return body[name] === undefined ? undefined : bytesOf(body, name);
}

function eid(body: JsonBody): Uint8Array {
  const digits = textOf(body, 'eidValue');
  if (!/^\d{32}$/.test(digits)) throw new Asn1Error('range', 'eidValue has not 32 digits');
  return writeElement(0x5a, unhex(digits));
}

function id(body: JsonBody, name = 'transactionId'): Uint8Array {
  const digits = textOf(body, name);
  if (!/^(?:[0-9A-Fa-f]{2}){1,16}$/.test(digits))
    throw new Asn1Error('range', `${name} has not 2 to 32 hexadecimal digits`);
  return unhex(digits);
}

function integer(tag: number, value: unknown): Uint8Array {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 127)
    throw new Asn1Error('range', 'a code is a number from 0 to 127');
  return writeElement(tag, Uint8Array.of(value));
}
