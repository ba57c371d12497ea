import { Asn1Error, hex, readElement } from '../asn1/index.js';
import {
  HttpProblem,
  jsonObject,
  type RspAnswer,
  type RspHttpOptions,
  type RunningRspHttp,
  serveRspHttp,
} from '../http/index.js';
import type { Eim } from './eim.js';
import { ask } from './exchange.js';
import { answerOf, failed, type JsonFunction, jsonFunctions, requestOf } from './json.js';

// ESipa over HTTP(S): SGP.32 §6.1, §6.4.1; esipa.md §7, §8.

const jsonPath = /^\/gsma\/rsp2\/esipa\/(\w+)$/;
const notification = 0xbf3d;

/** @throws HttpError 'network' when the port is taken */
export function serveHttp({ eim, ...options }: RspHttpOptions & { eim: Eim }): Promise<RunningRspHttp> {
  const speakers = new WeakMap<object, string>();
  return serveRspHttp(
    {
      functionOf,
      answer({ path, body, connection }) {
        const speaker = speakerOf(path, body);
        if (speaker !== undefined) speakers.set(connection, speaker);
        return handleHttp(eim, path, body, speakers.get(connection));
      },
    },
    options,
  );
}

/**
 * Takes the body of one request to `path` and gives what its response holds; for servers without a socket, too.
 * @param eid of whoever speaks on this connection, where that is known: some messages do not say it
 * @throws HttpProblem
 */
export async function handleHttp(eim: Eim, path: string, body: Uint8Array, eid?: string): Promise<RspAnswer> {
  const called = functionOf(path);
  if (!called) {
    const answer = await answerTo(eim, body, eid);
    return answer && { asn1: answer };
  }
  let request: Uint8Array;
  try {
    request = requestOf(called, jsonObject(body));
  } catch (error) {
    if (!(error instanceof Asn1Error)) throw error;
    return { json: failed(called, error.message) };
  }
  const answer = await answerTo(eim, request, eid);
  return answer && { json: answerOf(called, answer) };
}

/** The EID that a request of either binding names. */
export function speakerOf(path: string, body: Uint8Array): string | undefined {
  try {
    const called = functionOf(path);
    return eidOf(called ? requestOf(called, jsonObject(body)) : body);
  } catch {
    return undefined;
  }
}

function functionOf(path: string): JsonFunction | undefined {
  const name = jsonPath.exec(path)?.[1];
  return name !== undefined && Object.hasOwn(jsonFunctions, name) ? (name as JsonFunction) : undefined;
}

async function answerTo(
  eim: Eim,
  message: Uint8Array,
  speaker: string | undefined,
): Promise<Uint8Array | undefined> {
  if (!tags.includes(tagOf(message)))
    throw new HttpProblem('body', 'the body is no message of ESipa to an eIM');
  // One connection may carry the messages of several devices: who speaks is asked only where a message does not say it.
  const eid = eidOf(message) === undefined ? speaker : undefined;
  const reply = await ask(eim, message, { eid, link: 'https' });
  if (reply.kind === 'unsaved')
    throw new HttpProblem('unavailable', reply.why, { retryAfter: reply.retryAfter });
  if (reply.kind === 'unknown') throw new HttpProblem('body', reply.why);
  return reply.kind === 'answer' ? reply.message : undefined;
}

const tags: readonly number[] = Object.values(jsonFunctions);

function tagOf(message: Uint8Array): number {
  return message.length > 1 ? (message[0] << 8) | message[1] : 0;
}

/** 5A of the message, or of the BF50 in a BF3D. */
function eidOf(message: Uint8Array): string | undefined {
  try {
    const { tag, children } = readElement(message);
    const holder =
      tag === notification ? (children.find((one) => one.tag === 0xbf50)?.children ?? []) : children;
    const found = holder.find((one) => one.tag === 0x5a);
    return found && hex(found.content);
  } catch {
    return undefined;
  }
}
