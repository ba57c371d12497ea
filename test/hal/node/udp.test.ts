import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { NodeUdp } from '../../../hal/node/udp.js';

describe('UDP on Node', () => {
  it('sends and receives whole datagrams', async () => {
    const echo = createSocket('udp4');
    echo.on('message', (bytes, { address, port }) => echo.send(Buffer.concat([bytes, bytes]), port, address));
    await new Promise<void>((resolve) => echo.bind(0, '127.0.0.1', resolve));
    const { port } = echo.address();
    const received: [string, string, boolean][] = [];
    await new Promise<void>((resolve) => {
      const socket = new NodeUdp({
        onReadable: () => {
          for (let one = socket.read(); one; one = socket.read()) {
            received.push([Buffer.from(one).toString(), one.address, one.port === port]);
          }
          if (received.length < 2) return;
          socket.close();
          socket.close();
          resolve();
        },
      });
      // The memory is the sender's again at once.
      const memory = Buffer.from('ab');
      socket.write(memory, '127.0.0.1', port);
      memory.write('cd');
      socket.write(memory, '127.0.0.1', port);
    });
    expect(received.map(([text]) => text).sort()).toEqual(['abab', 'cdcd']);
    expect(received[0].slice(1)).toEqual(['127.0.0.1', true]);
    echo.close();
  });

  it('sends what was written before it was closed', async () => {
    const peer = createSocket('udp4');
    await new Promise<void>((resolve) => peer.bind(0, '127.0.0.1', resolve));
    const { port } = peer.address();
    const heard: string[] = [];
    const last = new Promise<void>((resolve) => {
      peer.on('message', (bytes, from) => {
        heard.push(bytes.toString());
        if (heard.length === 1) peer.send('go on', from.port, from.address);
        else resolve();
      });
    });
    const socket = new NodeUdp({
      onReadable: () => {
        socket.write(Buffer.from('goodbye'), '127.0.0.1', port);
        socket.close();
      },
    });
    socket.write(Buffer.from('hello'), '127.0.0.1', port);
    await last;
    expect(heard).toEqual(['hello', 'goodbye']);
    await new Promise<void>((resolve) => peer.close(() => resolve()));
  });

  it('reports an address that is not its own, once', async () => {
    const reason = await new Promise((resolve) => {
      new NodeUdp({ address: '192.0.2.1', onError: resolve });
    });
    expect(reason).toMatchObject({ code: 'EADDRNOTAVAIL' });
  });
});
