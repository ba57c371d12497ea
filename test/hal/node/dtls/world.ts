import type { UdpSocket } from '../../../../hal/contracts/index.js';
import {
  type DtlsCertificate,
  type DtlsExpectation,
  type DtlsPsk,
  DtlsServer,
  type DtlsServerSession,
  dtlsUdp,
} from '../../../../hal/node/dtls/index.js';
import { VirtualClock } from '../../../../host-sim/clock.js';
import { seeded } from '../../../../host-sim/random.js';
import { LossyNetwork, type Weather } from '../../../ipa/esipa/coap/network.js';

export const KEY = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const PSK = { identity: 'device', key: KEY };

export interface DtlsWorldOptions {
  weather?: Weather;
  seed?: number;
  /** What the client has, or expects. */
  peer?: DtlsPsk | DtlsExpectation;
  /** What the server shows; with it no pre-shared keys. */
  certificate?: DtlsCertificate;
  /** Milliseconds since 1970. */
  now?: number;
}

/** A server that repeats what it hears, and sockets of one client, with a network between them and a virtual clock. */
export function dtlsWorld({ weather = {}, seed = 1, peer = PSK, certificate, now }: DtlsWorldOptions = {}) {
  const clock = new VirtualClock();
  const network = new LossyNetwork(clock, weather, seed);
  const random = seeded(seed);
  const randomBytes = (count: number) => Buffer.from(Array.from({ length: count }, () => random() * 256));
  const seen = { opened: [] as string[], closed: 0, refused: [] as string[], data: [] as string[] };
  let from = { address: '10.0.0.7', port: 40_000 };
  const sent: Buffer[] = [];
  const received: Uint8Array[] = [];
  const hooks = {
    spoil: (datagram: Buffer): Uint8Array => datagram,
    answer: (data: Buffer): Uint8Array => Buffer.from(`re: ${data}`),
  };
  const makeServer = () =>
    new DtlsServer({
      ...(certificate ? { certificate } : { psk: (name) => (name === 'device' ? KEY : undefined) }),
      randomBytes,
      send: (datagram) => {
        const arriving = hooks.spoil(Buffer.from(datagram));
        received.push(arriving);
        network.deliver(arriving);
      },
      onData: (session, data) => {
        seen.data.push(data.toString());
        server.write(session, hooks.answer(data));
      },
      onOpen: (session: DtlsServerSession) => seen.opened.push(session.identity),
      onClose: () => seen.closed++,
      onRefused: (_from, error) => seen.refused.push(error.message),
    });
  let server = makeServer();
  network.server = (datagram) => {
    sent.push(datagram);
    server.take(datagram, from);
  };
  const udp = dtlsUdp({
    udp: { io: network.io },
    peer,
    timer: clock,
    now: () => now ?? clock.now,
    randomBytes,
  });
  const errors: string[] = [];
  const heard: string[] = [];
  const socket = (): UdpSocket => {
    const one: UdpSocket = new udp.io({
      onReadable: () => {
        for (let got = one.read(); got; got = one.read()) heard.push(Buffer.from(got).toString());
      },
      onError: (reason) => errors.push((reason as Error).message),
    });
    return one;
  };
  return {
    clock,
    network,
    udp,
    socket,
    seen,
    errors,
    heard,
    sent,
    received,
    /** What becomes of the server's datagrams, and what it answers. */
    hooks,
    move: () => {
      from = { ...from, port: from.port + 1 };
    },
    restart: () => {
      server = makeServer();
    },
    get server() {
      return server;
    },
  };
}

export type DtlsWorld = ReturnType<typeof dtlsWorld>;

export const say = (socket: UdpSocket, text: string) => socket.write(Buffer.from(text), '10.0.0.1', 5_683);

/** Says something, over sockets made anew where one failed, until the server's answer is there. @returns datagrams it took */
export async function untilHeard({ clock, socket, heard, errors, network }: DtlsWorld): Promise<number> {
  let one = socket();
  for (let i = 0; heard.length === 0 && i < 60; i++) {
    if (errors.length > 0) {
      errors.length = 0;
      one = socket();
    }
    say(one, `message ${i}`);
    await clock.advance(10_000);
  }
  return network.sent.up + network.sent.down;
}

/** Changes some bytes of datagrams, and cuts some short. */
export function spoiler(random: () => number): (datagram: Buffer) => Buffer {
  return (datagram) => {
    const changed = Buffer.from(datagram);
    for (let i = 0; i < 3; i++) changed[Math.floor(random() * changed.length)] = random() * 256;
    return random() < 0.2 ? changed.subarray(0, random() * changed.length) : changed;
  };
}

/** Says something now and then, as long as the socket takes it. */
export async function keepSaying({ clock, socket }: DtlsWorld, text: string): Promise<void> {
  const one = socket();
  for (let i = 0; i < 5; i++) {
    try {
      say(one, text);
    } catch {
      return;
    }
    await clock.advance(3_000);
  }
}
