import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { XsIpaError } from '../../hal/contracts/index.js';
import { contentTypeOf, jsonObject, pathOf, readBody } from './body.js';
import { type Listening, listen } from './listen.js';
import { HttpError, HttpProblem } from './problem.js';

/** "GET /orders" and what it does; a GET has its query, a POST what its JSON says. */
export type ControlRoutes = Readonly<
  Record<string, (body: Record<string, unknown>, query: URLSearchParams) => unknown>
>;

export interface RunningControl extends Listening {
  readonly url: string;
}

/**
 * HTTP and JSON interface of a running server, for people and programs on the same machine: it listens on 127.0.0.1 only and
 * refuses Host headers of other names, so that no web page can reach it through a name of its own.
 *
 * @throws HttpError 'network' when the port is taken
 */
export async function serveControlHttp(
  routes: ControlRoutes,
  { port, largestBody }: { port: number; largestBody: number },
): Promise<RunningControl> {
  const server: Server = createServer((incoming, answer) => {
    const send = (status: number, body: unknown) => {
      answer.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      answer.end(JSON.stringify(body));
    };
    respond(routes, incoming, largestBody).then(
      (body) => send(200, body),
      (error: unknown) => {
        const isOwn = error instanceof XsIpaError && !(error instanceof HttpProblem);
        const { code, status, message } = isOwn
          ? { ...error, status: 400, message: error.message }
          : HttpProblem.of(error);
        send(status, { error: { code, message } });
      },
    );
  });
  // An answer may take as long as a device sleeps.
  server.requestTimeout = 0;
  const listening = await listen(server, 'control interface', '127.0.0.1', port);
  return { ...listening, url: `http://127.0.0.1:${listening.port}` };
}

async function respond(
  routes: ControlRoutes,
  incoming: IncomingMessage,
  largestBody: number,
): Promise<unknown> {
  const host = (incoming.headers.host ?? '').replace(/:\d+$/, '');
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(host))
    throw new HttpProblem('host', 'this interface answers on 127.0.0.1 and localhost only');
  const key = `${incoming.method} ${pathOf(incoming)}`;
  const route = Object.hasOwn(routes, key) ? routes[key] : undefined;
  if (!route) throw new HttpProblem('path', `there is no ${key}`);
  const query = new URLSearchParams(incoming.url?.split('?')[1]);
  if (incoming.method !== 'POST') return route({}, query);
  // A browser sends this type to another origin only after asking, and it is never told yes.
  if (contentTypeOf(incoming) !== 'application/json')
    throw new HttpProblem('contentType', 'the body has to be application/json');
  return route(jsonObject(await readBody(incoming, largestBody)), query);
}

/**
 * Asks the control interface of a running server.
 * @param what "eIM", "SM-DP+", for error messages
 * @param hint how to start one
 * @throws HttpError 'control'
 */
export function askControl(
  { url, what, hint }: { url: string; what: string; hint?: string },
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  // Not fetch(): it gives up when an answer takes longer than five minutes.
  return new Promise((resolve, reject) => {
    if (!URL.canParse(url + path)) {
      reject(new HttpError('argument', `"${url}" is not the address of an ${what}`));
      return;
    }
    const failed = (cause: NodeJS.ErrnoException) => {
      const message =
        cause.code === 'ECONNREFUSED'
          ? `no ${what} is running at ${url}${hint ? `: ${hint}` : ''}`
          : `the ${what} at ${url} did not answer: ${cause.message}`;
      reject(new HttpError('control', message, { cause }));
    };
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const outgoing = request(new URL(url + path), { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', failed);
      answer.on('end', () => {
        let value: unknown;
        try {
          value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
        } catch {
          reject(new HttpError('control', `what answers at ${url} is not an ${what} of xs-ipa`));
          return;
        }
        if (answer.statusCode === 200) resolve(value);
        else {
          const { error } = (value ?? {}) as { error?: { message?: string } };
          reject(new HttpError('control', error?.message ?? `the ${what} answered ${answer.statusCode}`));
        }
      });
    });
    outgoing.on('error', failed);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
