import { createServer, type IncomingMessage, type OutgoingMessage, type Server } from 'coap';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeTimer } from '../../../../hal/node/timer.js';
import { NodeUdp } from '../../../../hal/node/udp.js';
import { CoapLink } from '../../../../ipa/esipa/coap/index.js';
import { message } from './network.js';

describe('the CoAP link against the server of the package coap', () => {
  let server: Server;
  let link: CoapLink;
  let answer: (request: IncomingMessage, response: OutgoingMessage) => void;

  async function open(options: { piggybackReplyMs?: number } = {}, blockSize = 1024): Promise<void> {
    server = createServer(options, (request, response) => answer(request, response));
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () =>
        resolve((server._sock as import('node:dgram').Socket).address().port),
      );
    });
    link = new CoapLink({
      eimId: 'eim',
      udp: { io: NodeUdp },
      host: '127.0.0.1',
      port,
      timer: nodeTimer,
      random: Math.random,
      blockSize,
    });
    link.resume();
  }
  beforeEach(() => {
    answer = () => {};
  });
  afterEach(async () => {
    link.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  it('polls at the path of the binding', async () => {
    await open();
    answer = (request, response) => {
      expect([request.method, request.url]).toEqual(['POST', '/gsma/rsp2/asn1']);
      response.end(message(6));
    };
    expect(Buffer.from(await link.exchange(message(22), () => true))).toEqual(message(6));
  });

  it.each([64, 1024])('sends and takes long messages in blocks of %d bytes', async (blockSize) => {
    await open({}, blockSize);
    const received: Buffer[] = [];
    answer = (request, response) => {
      received.push(request.payload);
      response.end(message(3_333, 9));
    };
    expect(Buffer.from(await link.exchange(message(2_500), () => true))).toEqual(message(3_333, 9));
    expect(received).toEqual([message(2_500)]);
    // And once more: a transfer is not mistaken for the one before.
    expect(await link.exchange(message(2_501, 4), () => true)).toHaveLength(3_333);
    expect(received[1]).toEqual(message(2_501, 4));
  });

  it('pours a package into a sink', async () => {
    await open();
    const bpp = message(50_000);
    answer = (_request, response) => {
      response.end(bpp);
    };
    const parts: Buffer[] = [];
    await link.download(message(30), {
      take: async (piece) => {
        parts.push(Buffer.from(piece));
        await new Promise((resolve) => setImmediate(resolve));
        return true;
      },
    });
    expect(Buffer.concat(parts).equals(bpp)).toBe(true);
  });

  it('takes a response that comes separately', async () => {
    await open({ piggybackReplyMs: 1 });
    answer = (_request, response) => {
      setTimeout(() => response.end(message(6)), 20);
    };
    expect(await link.exchange(message(22), () => true)).toHaveLength(6);
  });

  it('is told of refusals, and hands messages over', async () => {
    await open();
    answer = (_request, response) => {
      response.code = '4.04';
      response.end();
    };
    await expect(link.exchange(message(22), () => true)).rejects.toMatchObject({ code: 'refused' });
    answer = (_request, response) => {
      response.code = '2.04';
      response.end();
    };
    await link.send(message(22));
  });
});
