import { X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { XsIpaError } from '../../../hal/contracts/index.js';
import { dtlsCertificate } from '../../../hal/node/dtls/index.js';
import { CoapsDoor } from '../../../host-sim/eim/index.js';
import { Bearer } from '../../../host-sim/modem/bearer.js';
import { makeEimTls, makePki, type Pki, pem, pkcs8 } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { datagramRelay, relay } from '../../../host-sim/xs/index.js';
import { BYE, TrustKind } from '../../../host-sim/xs/wire.js';
import { helloBytes } from '../../xs/device/hello.js';

const HOST = '127.0.0.1';
const NAME = 'eim.example.com';
const EID = '89049032123451234512345678901235';
const SECRET = Buffer.from('POST /gsma/rsp2/asn1');

let pki: Pki;
let shown: { cert: string; key: string };
const closing: (() => unknown)[] = [];
let refused: XsIpaError[] = [];

beforeAll(async () => {
  const eims = [{ eimId: NAME, eimIdType: 2 as const, eimFqdn: NAME }];
  pki = await makePki({ eid: EID, eims, now: Date.now(), random: seeded(3) });
  shown = tlsOf(NAME);
});
afterEach(async () => {
  while (closing.length > 0) await closing.pop()?.();
  refused = [];
});

function tlsOf(name: string): { cert: string; key: string } {
  const { certificate, privateKey } = makeEimTls(pki.ci!, name, Date.now());
  return { cert: pem('CERTIFICATE', certificate), key: pem('PRIVATE KEY', pkcs8(privateKey)) };
}

function spki({ cert }: { cert: string }): Uint8Array {
  return Uint8Array.from(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }));
}

const pinned = (tls: { cert: string }) =>
  helloBytes({ name: NAME, kind: TrustKind.publicKey, trusted: [spki(tls)] });

const onRefused = (error: XsIpaError) => {
  refused.push(error);
};

function bearer(registered = true): Bearer {
  return new Bearer({ registered, onRegistration: () => () => {} });
}

describe('TLS in the name of a device', () => {
  /** Repeats what it hears. */
  async function server() {
    const heard: Buffer[] = [];
    const server = createTlsServer({ ...shown }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        heard.push(bytes);
        socket.write(bytes);
      });
    });
    server.on('tlsClientError', () => {});
    server.listen(0, HOST);
    await once(server, 'listening');
    closing.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    return { port, heard };
  }

  async function device(data: { port: number }, registered = true) {
    const way = await relay(bearer(registered), { host: HOST, port: data.port }, { onRefused });
    closing.push(() => way.close());
    const socket = connect(way.port, HOST);
    socket.on('error', () => {});
    closing.push(() => socket.destroy());
    await once(socket, 'connect');
    return { socket, way };
  }

  it('carries a connection to the server whose key is pinned, however its beginning comes in pieces', async () => {
    const { port, heard } = await server();
    const { socket, way } = await device({ port });
    for (const byte of Buffer.concat([pinned(shown), SECRET])) socket.write(Uint8Array.of(byte));
    let answer = Buffer.alloc(0);
    while (answer.length < SECRET.length) {
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      answer = Buffer.concat([answer, bytes]);
    }
    expect(answer).toEqual(SECRET);
    expect(Buffer.concat(heard)).toEqual(SECRET);
    expect(refused).toEqual([]);
    // TLS is on the wire, and the hello is not.
    expect(way.bytes.up).toBeGreaterThan(SECRET.length + 200);
    expect(way.bytes.down).toBeGreaterThan(SECRET.length + 400);
  });

  it('trusts the certificate authority that the device names, for the name it gives', async () => {
    const { port, heard } = await server();
    const roots = pki.ciCertificates;
    const { socket } = await device({ port });
    socket.write(helloBytes({ name: NAME, kind: TrustKind.roots, trusted: roots }));
    socket.write(SECRET);
    await once(socket, 'data');
    expect(Buffer.concat(heard)).toEqual(SECRET);

    const { socket: other } = await device({ port });
    other.write(helloBytes({ name: 'other.example.com', kind: TrustKind.roots, trusted: roots }));
    other.write(SECRET);
    await once(other, 'close');
    expect(refused).toMatchObject([{ code: 'untrusted' }]);
    expect(Buffer.concat(heard)).toEqual(SECRET);
  });

  it.each([
    [
      'another key',
      () => pinned(tlsOf('other.example.com')),
      'untrusted',
      /another key.*expected TLS with the key/,
    ],
    ['no hello', () => new Uint8Array(0), 'badTrust', /whom it trusts/],
    [
      'no certificate',
      () => helloBytes({ name: NAME, kind: TrustKind.certificate, trusted: [Uint8Array.of(1)] }),
      'badTrust',
      /cannot be read/,
    ],
  ])('is not spoken with %s, and nothing is sent', async (_what, hello, code, message) => {
    const { port, heard } = await server();
    const { socket } = await device({ port });
    socket.write(Buffer.concat([hello(), SECRET]));
    await once(socket, 'close');
    expect(refused).toMatchObject([{ code, message: expect.stringMatching(message) }]);
    expect(heard).toEqual([]);
  });

  it('needs a network', async () => {
    const { port, heard } = await server();
    const { socket } = await device({ port }, false);
    socket.write(Buffer.concat([pinned(shown), SECRET]));
    await once(socket, 'close');
    expect(heard).toEqual([]);
    expect(refused).toEqual([]);
  });
});

describe('DTLS in the name of a device', () => {
  /** Behind the door, repeats what it hears. */
  async function server() {
    const heard: Buffer[] = [];
    const inner = createSocket('udp4');
    inner.on('message', (bytes, { port, address }) => {
      heard.push(bytes);
      inner.send(bytes, port, address);
    });
    inner.bind(0, HOST);
    await once(inner, 'listening');
    closing.push(() => inner.close());
    const certificate = dtlsCertificate(shown.cert, shown.key);
    const door = new CoapsDoor({ port: 0, coapPort: inner.address().port, certificate });
    await door.open();
    closing.push(() => door.close());
    return { port: door.port, heard };
  }

  async function device(port: number) {
    const way = await datagramRelay(bearer(), { host: HOST, port }, { onRefused });
    closing.push(() => way.close());
    const socket = createSocket('udp4');
    closing.push(() => socket.close());
    const send = (bytes: Uint8Array) => socket.send(bytes, way.port, HOST);
    return { socket, send, way };
  }

  it('carries datagrams to the server whose key is pinned, until the socket is closed', async () => {
    const { port, heard } = await server();
    const { socket, send, way } = await device(port);
    send(pinned(shown));
    send(SECRET);
    const [answer] = (await once(socket, 'message')) as [Buffer];
    expect(answer).toEqual(SECRET);
    expect(heard).toEqual([SECRET]);
    expect(way.bytes.up).toBeGreaterThan(SECRET.length + 100);
    send(Uint8Array.of(BYE));
    // Without a hello a socket is none.
    send(SECRET);
    await expect.poll(() => refused.length).toBe(1);
    expect(refused).toMatchObject([{ code: 'badTrust' }]);
    expect(heard).toEqual([SECRET]);
  });

  it('is not spoken with another key, and nothing is sent', async () => {
    const { port, heard } = await server();
    const { send } = await device(port);
    send(pinned(tlsOf('other.example.com')));
    send(SECRET);
    await expect.poll(() => refused.length).toBe(1);
    expect(refused[0].message).toMatch(/another key|expected DTLS/);
    expect(heard).toEqual([]);
  });
});
