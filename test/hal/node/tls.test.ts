import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { openTls, tlsError } from '../../../hal/node/tls.js';
import { TlsSessionCache } from '../../../hal/node/tls-sessions.js';
import type { TlsTrust } from '../../../hal/node/trust.js';
import { eimTls } from '../../../host-sim/cli/eim-tls.js';
import { makePki } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';

const NAME = 'eim.example.com';
const pki = await makePki({
  eid: '89049032123451234512345678901235',
  eims: [NAME, 'other.example.com'].map((name) => ({ eimId: name, eimIdType: 2 as const, eimFqdn: name })),
  now: Date.now(),
  random: seeded(1),
});
const [own, other] = pki.eims.map(
  (credentials) => eimTls({ https: 0 }, { credentials, pki, now: Date.now() }).https!,
);

function pinOf({ trustedTls }: typeof own): TlsTrust {
  if (!trustedTls || !('publicKey' in trustedTls)) throw new Error('no key to pin');
  return { pin: trustedTls.publicKey };
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s', (version) => {
  /** Says a word to everyone. */
  async function serve(material: { cert: string; key: string }, ticketKeys?: Buffer): Promise<number> {
    const server = createServer(
      { ...material, minVersion: version, maxVersion: version, ticketKeys },
      (socket) => {
        socket.on('error', () => {});
        socket.write('hello');
      },
    );
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** @returns was it a session that went on? */
  async function talk(port: number, trust: TlsTrust, sessions: TlsSessionCache): Promise<boolean> {
    const options = { host: '127.0.0.1', port, serverName: NAME, trust, sessions };
    const stream: TLSSocket = openTls(options);
    try {
      await once(stream, 'data');
    } catch (error) {
      throw tlsError(options, error) ?? error;
    }
    const isReused = stream.isSessionReused();
    stream.end();
    await once(stream, 'close');
    return isReused;
  }

  it.each([
    ['a pinned key', pinOf(own)],
    ['a CI', { roots: pki.ciCertificates }],
  ])('goes on, again and again, with %s', async (_name, trust) => {
    const port = await serve(own);
    const sessions = new TlsSessionCache();
    const reused: boolean[] = [];
    for (let i = 0; i < 4; i++) reused.push(await talk(port, trust, sessions));
    expect(reused).toEqual([false, true, true, true]);
  });

  it('is for the key it began with: another pin begins anew, and is refused', async () => {
    const port = await serve(own);
    const sessions = new TlsSessionCache();
    await talk(port, pinOf(own), sessions);
    await expect(talk(port, pinOf(other), sessions)).rejects.toMatchObject({ code: 'untrusted' });
    expect(await talk(port, pinOf(own), sessions)).toBe(true);
  });

  it('ends with the certificate that began it', async () => {
    const port = await serve(own);
    let now = Date.now();
    const sessions = new TlsSessionCache(16, () => now);
    const ends: number[] = [];
    const keep = sessions.keep.bind(sessions);
    sessions.keep = (key, session) => {
      ends.push(session.until);
      keep(key, session);
    };
    for (let i = 0; i < 3; i++) await talk(port, pinOf(own), sessions);
    expect(Math.max(...ends)).toBe(ends[0]);
    expect(ends[0]).toBeLessThan(now + 4 * 365 * 86_400_000);
    now = ends[0];
    expect(await talk(port, pinOf(own), sessions)).toBe(false);
  });
});
