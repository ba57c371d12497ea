import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadline, Es10 } from '../../../ipa/es10/index.js';
import { TlvError, Writer } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import { FakeUicc } from './fake-uicc.js';

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);

describe('STORE DATA', () => {
  it('every block size cuts a request into numbered blocks that make up the request', async () => {
    const request = bytes(700);
    const size = { P1: 2, P2: 3, Lc: 4, data: 5 };
    for (let blockSize = 1; blockSize <= 255; blockSize++) {
      const uicc = new FakeUicc(() => 0x9000);
      const needed = Math.ceil(request.length / blockSize);
      const relayed = new Es10(uicc, { blockSize }).relay(request, new Writer(16));
      if (needed > 256) {
        await expect(relayed).rejects.toMatchObject({ name: 'Es10Error', sw: 0x6700 });
        expect(uicc.apdus).toEqual([]);
        continue;
      }
      await relayed;
      expect(uicc.apdus.length).toBe(needed);
      expect(toHex(uicc.requests[0])).toBe(toHex(request));
      for (const [index, apdu] of uicc.apdus.entries()) {
        const last = index === needed - 1;
        expect([...apdu.subarray(0, 2)]).toEqual([0x80, 0xe2]);
        expect(apdu[size.P1]).toBe(last ? 0x91 : 0x11);
        expect(apdu[size.P2]).toBe(index);
        expect(apdu[size.Lc]).toBe(apdu.length - size.data);
        expect(apdu.length - size.data).toBe(last ? request.length - index * blockSize : blockSize);
      }
    }
  });

  it.each([1, 2, 255, 256, 510, 511])('%d bytes in blocks of 255', async (length) => {
    const uicc = new FakeUicc(() => 0x9000);
    await new Es10(uicc).relay(bytes(length), new Writer(16));
    const lengths = uicc.apdus.map((apdu) => apdu[4]);
    expect(lengths.reduce((sum, one) => sum + one, 0)).toBe(length);
    expect(lengths.length).toBe(Math.ceil(length / 255));
    expect(lengths.every((one) => one > 0)).toBe(true);
  });

  it('exactly 256 blocks are sent, one byte more is refused before the first', async () => {
    const uicc = new FakeUicc(() => 0x9000);
    const es10 = new Es10(uicc, { blockSize: 4 });
    await es10.relay(bytes(1024), new Writer(16));
    expect(uicc.apdus.length).toBe(256);
    expect(uicc.apdus[255][3]).toBe(255);
    await expect(es10.relay(bytes(1025), new Writer(16))).rejects.toMatchObject({ sw: 0x6700 });
    expect(uicc.apdus.length).toBe(256);
  });

  it('each command begins on an empty stack', async () => {
    const uicc = new FakeUicc(() => 0x9000);
    const relayed = new Es10(uicc, { blockSize: 4 }).relay(bytes(10), new Writer(16));
    expect(uicc.apdus).toEqual([]);
    await relayed;
    expect(uicc.apdus).toHaveLength(3);
  });

  it.each([0, 256, -1, 1.5, Number.NaN])('a block size of %d is refused', (blockSize) => {
    expect(() => new Es10(new FakeUicc(() => 0x9000), { blockSize })).toThrow(/1 to 255/);
  });

  it('a refused block ends the command', async () => {
    let count = 0;
    const uicc = new FakeUicc(() => 0x9000);
    const transmit = uicc.transmit.bind(uicc);
    uicc.transmit = async (command, sink) => (++count === 3 ? 0x6985 : transmit(command, sink));
    await expect(
      new Es10(uicc, { blockSize: 10 }).relay(hex('BF5100'.padEnd(100, '0')), new Writer(16)),
    ).rejects.toMatchObject({
      name: 'Es10Error',
      code: 'statusWord',
      sw: 0x6985,
      message: expect.stringMatching(/BF51.*6985/),
    });
    expect(count).toBe(3);
  });

  it('the long deadline is for the last block, where the eUICC does the work', async () => {
    const uicc = new FakeUicc(() => 0x9000);
    await new Es10(uicc, { blockSize: 2 }).relay(bytes(5), new Writer(16), Deadline.signing);
    expect(uicc.deadlines).toEqual([Deadline.ordinary, Deadline.ordinary, Deadline.signing]);
  });
});

describe('answers', () => {
  const call = (answer: Uint8Array, options = {}) =>
    new Es10(new FakeUicc(() => answer), options).call(hex('BF2000'));

  it('a long one is collected in pieces', async () => {
    const content = bytes(5000);
    const answer = new Writer(16, 6000).primitive(0xbf20, content).bytes;
    expect(toHex((await call(answer)).value)).toBe(toHex(content));
  });

  it('one beyond the limit ends in a TlvError, and the next call works', async () => {
    let long = true;
    const uicc = new FakeUicc(() => (long ? bytes(3000) : hex('BF2000')));
    const es10 = new Es10(uicc, { answerLimit: 2000 });
    await expect(es10.call(hex('BF2000'))).rejects.toMatchObject({ name: 'TlvError', code: 'overflow' });
    long = false;
    expect((await es10.call(hex('BF2000'))).tag).toBe(0xbf20);
  });

  it.each([0x9000, 0x9100, 0x910b, 0x91ff, 0x6200, 0x6282, 0x6310, 0x63cf])(
    'SW %i means carried out, data counts',
    async (sw) => {
      const es10 = new Es10(new FakeUicc(() => ({ data: hex('BF20028000'), sw })));
      expect((await es10.call(hex('BF2000'))).enter().nextIs(0x80)).toBe(true);
    },
  );

  it.each([
    0x6700, 0x6881, 0x6981, 0x6982, 0x6985, 0x6999, 0x6a80, 0x6a81, 0x6a82, 0x6a84, 0x6a88, 0x6b00, 0x6d00,
    0x6e00, 0x6f00, 0x9300, 0x0000,
  ])('SW %i is an Es10Error that says which function', async (sw) => {
    const es10 = new Es10(new FakeUicc(() => ({ data: hex('BF2000'), sw })));
    await expect(es10.call(hex('BF2000'))).rejects.toMatchObject({
      name: 'Es10Error',
      sw,
      message: expect.stringContaining('BF20'),
    });
  });

  it.each([
    ['nothing', '', 'nothing'],
    ["another function's", 'BF2200', 'bf22'],
    ['a primitive', '800100', '80'],
  ])('%s is an unexpectedAnswer', async (_what, answer, named) => {
    await expect(call(hex(answer))).rejects.toMatchObject({
      name: 'IpaError',
      code: 'unexpectedAnswer',
      message: expect.stringContaining(named),
    });
  });

  it.each(['BF20', 'BF2005', 'BF2080', '00', 'BF20 85 0000000000'])(
    '%s cannot be read: TlvError',
    async (answer) => {
      await expect(call(hex(answer))).rejects.toBeInstanceOf(TlvError);
    },
  );

  it('release() gives the memory of a long answer back and keeps working', async () => {
    const es10 = new Es10(new FakeUicc(() => new Writer(16, 9000).primitive(0xbf20, bytes(8000)).bytes));
    expect((await es10.call(hex('BF2000'))).length).toBe(8000);
    es10.release();
    expect((await es10.call(hex('BF2000'))).length).toBe(8000);
  });

  it('whatever is sent and answered, relay() passes it on unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 600 }),
        fc.uint8Array({ maxLength: 600 }),
        fc.integer({ min: 3, max: 255 }),
        fc.integer({ min: 1, max: 256 }),
        async (request, answer, blockSize, piece) => {
          const uicc = new FakeUicc(() => answer);
          uicc.piece = piece;
          const into = new Writer(4, 600);
          await new Es10(uicc, { blockSize }).relay(request, into);
          expect(toHex(uicc.requests[0])).toBe(toHex(request));
          expect(toHex(into.bytes)).toBe(toHex(answer));
        },
      ),
    );
  });
});
