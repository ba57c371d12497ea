import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createCoapServer } from 'coap';
import { expect, it } from 'vitest';
import { describeOnXs } from './available.js';
import { type HostOptions, type HostResult, runOnXs } from './run.js';

const entry = 'test/xs/device/transport.ts';
const success = { header: { functionExecutionStatus: { status: 'Executed-Success' } }, transactionId: 'AB' };

function tlv(tag: string, content: Uint8Array): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from(tag, 'hex'), Buffer.from(size), content]);
}

/** The shape of a Bound Profile Package. */
function bpp(size: number): Buffer {
  const parts = Array.from({ length: Math.ceil(size / 1_000) }, () => tlv('86', Buffer.alloc(1_000)));
  const [initialise, configure, metadata] = ['bf23', 'a0', 'a1'].map((tag) => tlv(tag, Buffer.alloc(0)));
  return tlv('bf36', Buffer.concat([initialise, configure, metadata, tlv('a3', Buffer.concat(parts))]));
}

async function download(size: number, options: Partial<HostOptions> = {}) {
  const server = createHttpServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const answer = request.url?.endsWith('getBoundProfilePackage')
        ? { boundProfilePackage: bpp(size).toString('base64') }
        : {
            profileMetadata: Buffer.alloc(300).toString('base64'),
            smdpCertificate: Buffer.alloc(700).toString('base64'),
          };
      response.end(JSON.stringify({ ...success, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await runOnXs({ entry, config: { script: 'es9', port }, ...options });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function coap(size: number, options: Partial<HostOptions> = {}) {
  const server = createCoapServer((request, response) => {
    const body =
      request.payload[1] === 0x50 ? Buffer.from('bf500100', 'hex') : Buffer.alloc(polls++ === 0 ? 3 : size);
    body.set(request.payload.subarray(0, 2));
    response.end(body);
  });
  let polls = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = (server._sock as import('node:dgram').Socket).address();
  try {
    return await runOnXs({ entry, config: { script: 'coap', port }, ...options });
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** With FIGURES=1: what each step takes. */
function tell({ marks, census, lines }: HostResult): void {
  if (!process.env.FIGURES) return;
  const figures = Object.entries(marks).map(([name, { bytes, bytesPeak, stackPeak }]) => [
    name,
    bytes,
    bytesPeak,
    stackPeak,
  ]);
  process.stdout.write(`${[lines, ...figures].join('\n')}\n${JSON.stringify(census)}\n`);
}

await describeOnXs('the ways to servers on XS', () => {
  it('downloads over HTTP and JSON with the same memory whatever the length', async () => {
    const small = await download(12_000, { livePeaks: true });
    const large = await download(100_000, { livePeaks: true });
    for (const { code, complaints } of [small, large])
      expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
    tell(large);
    const used = ({ marks }: HostResult) => marks.loaded.bytesPeak - marks.boot.bytes;
    expect(used(large)).toBeLessThan(used(small) + 512);
    expect(used(large)).toBeLessThan(12 * 1024);
  });

  it('polls and downloads over CoAP with the same memory whatever the length', async () => {
    const small = await coap(12_000, { livePeaks: true });
    const large = await coap(100_000, { livePeaks: true });
    for (const { code, complaints } of [small, large])
      expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
    tell(large);
    const used = ({ marks }: HostResult) => marks.downloaded.bytesPeak - marks.boot.bytes;
    expect(used(large)).toBeLessThan(used(small) + 512);
    expect(used(large)).toBeLessThan(9 * 1024);
  });
});
