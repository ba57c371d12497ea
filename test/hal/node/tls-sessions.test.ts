import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createPlain } from 'node:net';
import { createServer, type Server, type TlsOptions as ServerOptions, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openTls, type TlsOptions, tlsError } from '../../../hal/node/tls.js';
import { TlsSessionCache } from '../../../hal/node/tls-sessions.js';
import type { TlsTrust } from '../../../hal/node/trust.js';
import { type Credential, makeEimTls, makePki, type Pki, pem, pkcs8 } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';

const NAME = 'eim.example.com';
const EID = '89049032123451234512345678901235';
const DAY = 86_400_000;

let pki: Pki;
let good: Credential;
let expired: Credential;
let roots: TlsTrust;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  const now = Date.now();
  const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
  pki = await makePki({ eid: EID, eims, now, random: seeded(3) });
  good = makeEimTls(pki.ci!, NAME, now);
  expired = makeEimTls(pki.ci!, NAME, now, now - 2 * DAY);
  roots = { roots: [pki.ciCertificates[0]] };
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function listen(server: Server | ReturnType<typeof createPlain>): Promise<number> {
  server.on('tlsClientError', () => {});
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

function serve(credential = good, options: ServerOptions = {}): Promise<number> {
  const cert = pem('CERTIFICATE', credential.certificate);
  const key = pem('PRIVATE KEY', pkcs8(credential.privateKey));
  return listen(
    createServer({ cert, key, ...options }, (socket) => {
      socket.on('error', () => {});
      // An answer, so that tickets have come before it ends.
      socket.end('hello');
    }),
  );
}

/** @returns whether a session was taken up again */
async function visit(options: Omit<TlsOptions, 'host'>): Promise<boolean> {
  let resumed: boolean | undefined;
  const target = { host: '127.0.0.1', serverName: NAME, trust: roots, ...options };
  const stream: TLSSocket = openTls(target, (opened) => {
    resumed = opened.isSessionReused();
  });
  stream.resume();
  stream.once('end', () => {
    if (resumed !== undefined) stream.destroy();
  });
  let failure: unknown;
  stream.on('error', (error) => {
    failure = tlsError(target, error) ?? error;
  });
  await once(stream, 'close').catch(() => {});
  if (failure) throw failure;
  return resumed!;
}

describe('sessions', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('are taken up again, time after time: %s', async (maxVersion) => {
    const port = await serve(good, { maxVersion });
    const sessions = new TlsSessionCache();
    const visits = [];
    for (let i = 0; i < 4; i++) visits.push(await visit({ port, sessions }));
    expect(visits).toEqual([false, true, true, true]);
    expect(sessions.size).toBe(1);
  });

  it('without a cache there are none', async () => {
    const port = await serve();
    expect([await visit({ port }), await visit({ port })]).toEqual([false, false]);
  });

  it('a server that knows them no more makes a full handshake of it', async () => {
    const port = await serve();
    const sessions = new TlsSessionCache();
    await visit({ port, sessions });
    (open[0] as Server).setTicketKeys(Buffer.alloc(48, 9));
    expect(await visit({ port, sessions })).toBe(false);
    expect(await visit({ port, sessions })).toBe(true);
  });

  it('are for the same name, port, trust and client only', async () => {
    const [port, other] = [await serve(), await serve()];
    const sessions = new TlsSessionCache();
    const pin = { pin: spkiOf(good) };
    const client = {
      certificate: pem('CERTIFICATE', good.certificate),
      key: pem('PRIVATE KEY', pkcs8(good.privateKey)),
    };
    await visit({ port, sessions });
    const trust = { roots: [pki.ciCertificates[0], pki.eims[0].certificate] };
    expect(await visit({ port: other, sessions })).toBe(false);
    expect(await visit({ port, sessions, serverName: 'localhost' })).toBe(false);
    expect(await visit({ port, sessions, trust })).toBe(false);
    expect(await visit({ port, sessions, trust: pin })).toBe(false);
    expect(await visit({ port, sessions, ...client })).toBe(false);
    // Each of them has one of its own now.
    expect(sessions.size).toBe(6);
    expect(await visit({ port, sessions })).toBe(true);
    expect(await visit({ port, sessions, trust: pin })).toBe(true);
  });

  it('a server that was refused leaves none', async () => {
    const port = await serve(expired);
    const sessions = new TlsSessionCache();
    for (const trust of [roots, { pin: spkiOf(expired) }, { pin: spkiOf(good) }])
      await expect(visit({ port, sessions, trust })).rejects.toMatchObject({ code: 'untrusted' });
    expect(sessions.size).toBe(0);
  });

  it('the cache forgets what was kept longest ago, what is old, and what is past the end of its certificate', () => {
    let now = 0;
    const cache = new TlsSessionCache(2, () => now);
    const session = (byte: number, until = Number.POSITIVE_INFINITY) => ({ ticket: Buffer.of(byte), until });
    for (const name of ['a', 'b', 'c']) cache.keep(name, session(1));
    expect(cache.size).toBe(2);
    expect(cache.take('a')).toBeUndefined();
    expect(cache.take('b')?.ticket).toEqual(Buffer.of(1));
    expect(cache.take('b')).toBeUndefined();
    cache.keep('d', session(2, 1_000));
    now = 1_000;
    expect(cache.take('d')).toBeUndefined();
    now = 7 * DAY;
    expect(cache.take('c')).toBeUndefined();
  });

  it('a session that is kept again does not grow older than it may', () => {
    let now = 0;
    const cache = new TlsSessionCache(2, () => now);
    cache.keep('a', { ticket: Buffer.of(1), until: Number.POSITIVE_INFINITY });
    now = 6 * DAY;
    cache.keep('a', cache.take('a')!);
    now = 8 * DAY;
    expect(cache.take('a')).toBeUndefined();
  });
});

describe('a server that is not the one that is expected', () => {
  it.each([
    [
      'it speaks no TLS',
      () => plain('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'untrusted',
      /is not the one.*expected TLS/,
    ],
    ['it hangs up', () => plain(undefined), 'lost', /ended the connection.*expected TLS/],
    [
      'it wants a client certificate',
      () => wanting(),
      'refused',
      /which showed no certificate.*expected TLS/,
    ],
    [
      'it has no version in common',
      () => serve(good, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      'refused',
      /expected TLS/,
    ],
  ] as const)('%s', async (_what, start, code, message) => {
    const port = await start();
    await expect(visit({ port })).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('a network that fails is not its fault', () => {
    const target = { host: '127.0.0.1', port: 1 };
    expect(tlsError(target, Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBeUndefined();
  });
});

function plain(answer: string | undefined): Promise<number> {
  return listen(
    createPlain((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => (answer === undefined ? socket.end() : socket.write(answer)));
    }),
  );
}

function wanting(): Promise<number> {
  return serve(good, { requestCert: true, ca: pem('CERTIFICATE', pki.ciCertificates[0]) });
}

function spkiOf({ certificate }: Credential): Uint8Array {
  const { publicKey } = new X509Certificate(certificate);
  return publicKey.export({ type: 'spki', format: 'der' });
}
