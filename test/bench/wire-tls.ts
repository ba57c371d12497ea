import { constants } from 'node:crypto';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect, createServer, type TlsOptions } from 'node:tls';
import { OFFER } from '../../hal/node/tls.js';
import { shortTickets } from '../../host-sim/http/index.js';

/** One way for a client and a server to come to terms. */
export interface TlsWay {
  name: string;
  /** Bytes above TCP, both ways, until both could speak; tickets are among them. */
  full: number;
  /** The same of a connection that takes up the session of an earlier one; undefined where Node cannot. */
  resumed: number | undefined;
}

interface Way {
  name: string;
  client?: ConnectionOptions;
  server?: TlsOptions;
}

const WAYS: readonly Way[] = [
  { name: "TLS 1.3, all that OpenSSL has on offer, Node's tickets" },
  { name: 'TLS 1.3, tickets (what is used)', client: OFFER, server: shortTickets },
  { name: 'TLS 1.3, tickets of a server with state', client: OFFER, server: stateful('TLSv1.3') },
  {
    name: 'TLS 1.2, tickets',
    client: { ...OFFER, maxVersion: 'TLSv1.2' },
    server: { ...shortTickets, maxVersion: 'TLSv1.2' },
  },
  {
    name: 'TLS 1.2, session ids',
    client: { ...OFFER, maxVersion: 'TLSv1.2' },
    server: stateful('TLSv1.2'),
  },
];

/** What is said in each direction, to be taken off again; each is a record of its own. */
const WORD = 100;

/** Measures handshakes of Node's TLS on 127.0.0.1 with the certificate of an eIM. */
export async function tlsWays(credential: { cert: string; key: string }): Promise<TlsWay[]> {
  const measured: TlsWay[] = [];
  for (const way of WAYS) {
    const kept = new Map<string, Buffer>();
    const server = createServer({ ...credential, ...way.server }, (socket) => {
      socket.on('data', (bytes) => socket.end(bytes));
      socket.on('error', () => {});
    });
    server.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
      kept.set(id.toString('hex'), data);
      done();
    });
    server.on('resumeSession', (id: Buffer, done: (error: null, data: Buffer | null) => void) =>
      done(null, kept.get(id.toString('hex')) ?? null),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const first = await once(port, way.client, undefined);
    const second = await once(port, way.client, first.session);
    measured.push({ name: way.name, full: first.bytes, resumed: second.reused ? second.bytes : undefined });
    server.close();
  }
  return measured;
}

function stateful(maxVersion: 'TLSv1.2' | 'TLSv1.3'): TlsOptions {
  return { ...shortTickets, maxVersion, secureOptions: constants.SSL_OP_NO_TICKET };
}

function once(port: number, options: ConnectionOptions | undefined, session: Buffer | undefined) {
  const raw = connectPlain({ port, host: '127.0.0.1', noDelay: true });
  const stream = connect({
    ...options,
    socket: raw,
    servername: 'eim.example.com',
    rejectUnauthorized: false,
    session,
  });
  let newest = session;
  stream.on('session', (ticket: Buffer) => {
    newest = ticket;
  });
  stream.on('data', () => {});
  stream.once('secureConnect', () => stream.write(Buffer.alloc(WORD)));
  return new Promise<{ bytes: number; reused: boolean; session: Buffer | undefined }>((resolve, reject) => {
    stream.once('error', reject);
    stream.once('end', () => {
      const overhead = stream.getProtocol() === 'TLSv1.3' ? 22 : 29;
      const closing = overhead + 2;
      const said = 2 * (WORD + overhead) + closing;
      const bytes = raw.bytesRead + raw.bytesWritten - said;
      resolve({ bytes, reused: stream.isSessionReused(), session: newest });
    });
  });
}
