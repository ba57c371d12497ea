import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface PostAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** One request to a server of the simulator, on a connection of its own. @param ca PEM, for https: */
export function post(
  url: string,
  body: string | Uint8Array,
  { method = 'POST', headers, ca }: { method?: string; headers: Record<string, string>; ca?: string },
): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const make = url.startsWith('https') ? httpsRequest : httpRequest;
    let answered = false;
    const outgoing = make(url, { method, headers, agent: false, ca }, (answer) => {
      answered = true;
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
      });
    });
    // A server that reads no further may end the connection below what is still being written.
    outgoing.on('error', (error) => {
      if (!answered) reject(error);
    });
    // A server that does not want the body says so before it reads it.
    if (headers.expect) outgoing.on('continue', () => outgoing.end(body));
    else outgoing.end(body);
    if (headers.expect) outgoing.flushHeaders();
  });
}
