import { type HttpRequestOptions, XsIpaError } from '../contracts/index.js';

/** Request line and headers (RFC 9112 §3). @throws XsIpaError `usage` for what would break out of its line */
export function requestHead(options: HttpRequestOptions, host: string): Uint8Array {
  const { method = 'GET', path = '/', headers } = options;
  let length = method.length + path.length + host.length + 22;
  if (headers) for (const [name, value] of headers) length += name.length + value.length + 4;
  const head = new Uint8Array(length);
  let at = put(head, 0, method, 0x21);
  head[at] = 0x20;
  at = put(head, at + 1, path, 0x21);
  at = put(head, at, ' HTTP/1.1', 0x20);
  at = header(head, lineEnd(head, at), 'host', host);
  if (headers) for (const [name, value] of headers) at = header(head, at, name, value);
  lineEnd(head, at);
  return head;
}

/** Length of the request body that the headers announce. @throws XsIpaError `usage` */
export function bodyLength(options: HttpRequestOptions): number {
  const { headers } = options;
  if (headers?.has('transfer-encoding')) {
    throw new XsIpaError(
      'usage',
      'a request body is announced by its content-length, not by a transfer coding',
    );
  }
  const text = headers?.get('content-length');
  if (text === undefined) return 0;
  const length = Number(text);
  if (!Number.isSafeInteger(length) || length < 0) throw new XsIpaError('usage', `content-length ${text}`);
  return length;
}

function header(into: Uint8Array, at: number, name: string, value: string): number {
  let to = put(into, at, name, 0x21);
  into[to++] = 0x3a;
  into[to++] = 0x20;
  return lineEnd(into, put(into, to, value, 0x20));
}

function lineEnd(into: Uint8Array, at: number): number {
  into[at] = 0x0d;
  into[at + 1] = 0x0a;
  return at + 2;
}

function put(into: Uint8Array, at: number, text: string, least: number): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < least || code > 0x7e) {
      throw new XsIpaError(
        'usage',
        `character ${code} of "${text}" does not belong into the head of a request`,
      );
    }
    into[at + i] = code;
  }
  return at + text.length;
}
