import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AedesPublishPacket, type Client } from 'aedes';
import { urlHost } from '../address.js';
import type { SimEvent } from '../events.js';
import { shortTickets } from '../http/index.js';
import { EimError } from './error.js';

export interface BrokerOptions {
  /** 0, the default: any free port. */
  port?: number;
  /** Address to listen on; default 127.0.0.1. */
  host?: string;
  /** PEM. With `ca`, clients must have a certificate of it. */
  tls?: { cert: string; key: string; ca?: string };
  /** User names and passwords; without it everyone may connect. */
  users?: Readonly<Record<string, string>>;
  /** Messages kept per sleeping client; further ones are dropped and reported. Default 100. */
  queueLimit?: number;
  observe?: (event: SimEvent) => void;
}

export interface RunningBroker {
  /** mqtt://127.0.0.1:port or mqtts://… */
  readonly url: string;
  readonly port: number;
  /** Disconnects everyone; sessions are gone. Idempotent. */
  close(): Promise<void>;
}

/** What aedes asks of its session store when messages are to be kept; aedes exports no type for it. */
interface SessionStore {
  outgoingEnqueueCombi(subscriptions: { clientId: string }[], packet: AedesPublishPacket): Promise<void>;
  outgoingClearMessageId(client: { id: string }, packet: unknown): Promise<unknown>;
}

/**
 * An MQTT broker with persistent sessions in memory. A client whose id begins with an EID may only use topics
 * with that EID as a level, so that devices cannot read or write each other's messages (docs/mqtt-binding.md).
 */
export class Broker {
  readonly #options: BrokerOptions;

  constructor(options: BrokerOptions = {}) {
    this.#options = options;
  }

  /** @throws EimError 'network' when the port is taken */
  async listen(): Promise<RunningBroker> {
    const { tls, users, host = '127.0.0.1', observe = () => {}, queueLimit = 100 } = this.#options;
    const online = new Map<string, Client>();
    const aedes = await Aedes.createBroker({
      maxClientsIdLength: 128,
      authenticate: (_client, user, password, done) => {
        const given = password?.toString('utf8');
        const known = !users || (user !== undefined && Object.hasOwn(users, user) && users[user] === given);
        if (known) done(null, true);
        else done(Object.assign(new Error('unknown user or wrong password'), { returnCode: 4 }), false);
      },
      authorizePublish: (client, packet, done) => {
        if (mayUse(client, packet.topic)) done(null);
        else done(new Error(`${client?.id} may not publish to ${packet.topic}`));
      },
      authorizeSubscribe: (client, subscription, done) => {
        done(null, mayUse(client, subscription.topic) ? subscription : null);
      },
    });
    aedes.on('clientReady', (client) => {
      online.set(client.id, client);
      observe({ event: 'broker', what: 'connected', detail: { clientId: client.id } });
    });
    aedes.on('clientDisconnect', (client) => {
      // A new connection may have taken the session over already.
      if (online.get(client.id) === client) online.delete(client.id);
      observe({ event: 'broker', what: 'disconnected', detail: { clientId: client.id } });
    });
    // A client that drops its connection is no failure of the broker.
    aedes.on('clientError', () => {});
    aedes.on('connectionError', () => {});
    boundSessions(aedes, queueLimit, online, observe);

    const server = tls
      ? createTlsServer({ ...shortTickets, ...tls, requestCert: tls.ca !== undefined }, (socket) => {
          // What goes to a device is short, and must not wait for the acknowledgement of what went before.
          socket.setNoDelay(true);
          aedes.handle(socket);
        })
      : createServer({ noDelay: true }, (socket) => aedes.handle(socket));
    const port = await listenOn(server, host, this.#options.port ?? 0, () => aedes.close());
    observe({ event: 'broker', what: 'listening', detail: { port, tls: tls !== undefined } });

    let closing: Promise<void> | undefined;
    return {
      url: `${tls ? 'mqtts' : 'mqtt'}://${urlHost(host)}:${port}`,
      port,
      close() {
        closing ??= new Promise((resolve) => {
          server.close();
          aedes.close(() => resolve());
        });
        return closing;
      },
    };
  }
}

function mayUse(client: Client | null, topic: string): boolean {
  // A device with several links puts a suffix behind its EID.
  const eid = /^(\d{32})(?:\D|$)/.exec(client?.id ?? '')?.[1];
  return eid === undefined || topic.split('/').includes(eid);
}

/** Puts a bound on what aedes keeps for clients that are away (aedes has none of its own). */
function boundSessions(
  aedes: Aedes,
  limit: number,
  online: ReadonlyMap<string, Client>,
  observe: (event: SimEvent) => void,
): void {
  const store = (aedes as unknown as { persistence: SessionStore }).persistence;
  const kept = new Map<string, number>();
  const enqueue = store.outgoingEnqueueCombi.bind(store);
  const clear = store.outgoingClearMessageId.bind(store);
  store.outgoingEnqueueCombi = (subscriptions, packet) => {
    const accepted = subscriptions.filter(({ clientId }) => {
      const queued = kept.get(clientId) ?? 0;
      if (online.has(clientId)) {
        kept.set(clientId, queued + 1);
        return true;
      }
      const room = queued < limit;
      const detail = {
        clientId,
        topic: packet.topic,
        bytes: packet.payload.length,
        queued: queued + (room ? 1 : 0),
      };
      observe({ event: 'broker', what: room ? 'kept' : 'dropped', detail });
      if (room) kept.set(clientId, queued + 1);
      return room;
    });
    return enqueue(accepted, packet);
  };
  store.outgoingClearMessageId = async (client, packet) => {
    const cleared = await clear(client, packet);
    if (cleared !== undefined) kept.set(client.id, Math.max(0, (kept.get(client.id) ?? 0) - 1));
    return cleared;
  };
}

function listenOn(server: Server, host: string, port: number, onFailure: () => void): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      onFailure();
      const hint =
        (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'the port is in use' : cause.message;
      reject(new EimError('network', `no broker on ${urlHost(host)}:${port}: ${hint}`, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
