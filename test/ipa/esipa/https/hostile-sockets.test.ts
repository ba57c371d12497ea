import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpConfiguration } from '../../../../hal/contracts/index.js';
import { httpConfiguration } from '../../../../hal/node/http.js';
import { NodeTcp } from '../../../../hal/node/tcp.js';
import { nodeTimer } from '../../../../hal/node/timer.js';
import { XsHttpClient } from '../../../../hal/xs/http-client.js';
import { Asn1Binding, HttpsLink } from '../../../../ipa/esipa/https/index.js';
import { honest, scenes } from '../../../support/hostile-http.js';
import type { Scene } from '../../../support/raw-http.js';

const poll = Buffer.from('bf4f125a1089049032123451234512345678901235', 'hex');
const body = Buffer.from('bf4f0dbf540aa108800674657374696e', 'hex');
const good = { status: 200, body };
/** Pauses of the scenes are shorter here, by so much. */
const haste = 100;

const clients: [
  name: string,
  configure: (port: number) => HttpConfiguration & { host: string; port: number },
][] = [
  ['the client on Node', (port) => httpConfiguration({ url: `http://127.0.0.1:${port}` })],
  [
    'the device’s client',
    (port) => ({ io: XsHttpClient, host: '127.0.0.1', port, timer: nodeTimer, socket: { io: NodeTcp } }),
  ],
];

async function play(socket: Socket, scene: Scene): Promise<void> {
  for (const step of scene) {
    if (socket.destroyed) return;
    if (step === 'end') socket.end();
    else if (step === 'reset') socket.resetAndDestroy();
    else if (typeof step === 'number') await new Promise((resolve) => setTimeout(resolve, step / haste));
    else if (!socket.write(step))
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
  }
}

describe.each(clients)('the HTTPS link over sockets, %s', (_name, configure) => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function reach(scene: () => Scene) {
    let isHostile = true;
    const sockets = new Set<Socket>();
    let connections = 0;
    let playing = Promise.resolve();
    const server = createServer((socket) => {
      sockets.add(socket);
      connections++;
      let length = 0;
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (part) => {
        const text = part.toString('latin1');
        if (text.startsWith('POST ')) length = 0;
        length += part.length - (text.indexOf('\r\n\r\n') + 1 ? text.indexOf('\r\n\r\n') + 4 : 0);
        if (length < poll.length) return;
        playing = play(socket, isHostile ? scene() : [honest(good)]);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const link = new HttpsLink({
      eimId: 'eim',
      http: configure((server.address() as AddressInfo).port),
      binding: new Asn1Binding(),
      timer: nodeTimer,
      random: Math.random,
      times: { answer: 200, attempts: 2, backOff: 10, backOffLimit: 20 },
    });
    closing.push(() => link.close());
    link.resume();
    return {
      link,
      behave: () => {
        isHostile = false;
      },
      connections: () => connections,
      played: () => playing,
    };
  }

  it.each(scenes)('answers with $title', async ({ play: scene, ends }) => {
    const { link, behave, connections, played } = await reach(() => scene(good));
    const answer = await link
      .exchange(poll, () => true)
      .then(
        (bytes) => Buffer.from(bytes).toString('hex'),
        (error: unknown) => error,
      );
    if (ends === 'bad') expect(answer).toMatchObject({ name: 'LinkError' });
    else expect(answer).toBe(body.toString('hex'));
    expect(connections()).toBeLessThanOrEqual(2);
    behave();
    if (ends === 'stray') {
      // An answer more may be taken for the next one's: nothing in HTTP/1.1 tells them apart.
      await played();
      await link.exchange(poll, () => true).catch(() => {});
    }
    const after = await link.exchange(poll, () => true);
    expect(Buffer.from(after).toString('hex')).toBe(body.toString('hex'));
  });
});
