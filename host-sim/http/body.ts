import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './problem.js';

/** @throws HttpProblem for more than `most` bytes (a longer one is not read to its end), and for a body that breaks off */
export async function readBody(incoming: IncomingMessage, most: number): Promise<Uint8Array> {
  const tooLarge = () => new HttpProblem('tooLarge', `the body is larger than ${most} bytes`);
  if (Number(incoming.headers['content-length'] ?? 0) > most) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of incoming) {
      length += (chunk as Buffer).length;
      if (length > most) throw tooLarge();
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    if (cause instanceof HttpProblem) throw cause;
    throw new HttpProblem('brokenOff', `the body broke off after ${length} bytes`, { cause });
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

/** @throws HttpProblem */
export function jsonObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (cause) {
    throw new HttpProblem('notJson', 'the body is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HttpProblem('notJson', 'the body is not a JSON object');
  return value as Record<string, unknown>;
}

/** Without its parameters, in small letters. */
export function contentTypeOf({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
}

/** Of a request, without its query. Whatever was sent: `//` is a path, too. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0];
}
