import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../host-sim/clock.js';
import { seeded } from '../../../../host-sim/random.js';
import { Asn1Binding, HttpsLink, type HttpsLinkOptions } from '../../../../ipa/esipa/https/index.js';
import { JsonBinding } from '../../../../ipa/esipa/https/json.js';
import type { IpaEvent } from '../../../../ipa/events.js';
import { Life } from '../../../support/life.js';
import { MemoryHttp, type MemoryRequest, type MemoryResponse } from '../../../support/memory-http.js';

const poll = Buffer.from('bf4f125a1089049032123451234512345678901235', 'hex');
const none = Buffer.from('bf4f03020101', 'hex');
const notification = Buffer.from('bf3d02a000', 'hex');
const bind = Buffer.from('bf3a0680020102a000', 'hex');
const any = () => true;

function world(
  server: (request: MemoryRequest) => MemoryResponse,
  options: Partial<HttpsLinkOptions> = {},
  resume = true,
) {
  const clock = new VirtualClock();
  const http = new MemoryHttp();
  const events: IpaEvent[] = [];
  http.serve('eim', server);
  const link = new HttpsLink({
    eimId: 'eim',
    http: { io: http.clientClass(new Life(clock)), host: 'eim' },
    binding: new Asn1Binding(),
    timer: clock,
    random: seeded(1),
    observe: (event) => events.push(event),
    ...options,
  });
  if (resume) link.resume();
  const links = () => events.flatMap((event) => (event.event === 'link' ? [event.state] : []));
  return { clock, http, link, events, links };
}

describe('the HTTPS link', () => {
  it('sends what the binding wants, and gives the connection up after a quiet time', async () => {
    const { clock, http, link, links } = world(() => ({ status: 200, body: none }));
    expect(Buffer.from(await clock.run(link.exchange(poll, any)))).toEqual(none);
    expect(Buffer.from(await clock.run(link.exchange(poll, any)))).toEqual(none);
    const [{ path, body, headers }] = http.requests;
    expect(path).toBe('/gsma/rsp2/asn1');
    expect(Buffer.from(body)).toEqual(poll);
    expect(Object.fromEntries(headers)).toEqual({
      'user-agent': 'gsma-rsp-ipad',
      'x-admin-protocol': 'gsma/rsp/v2.1.0',
      'content-type': 'application/x-gsma-rsp-asn1',
      'content-length': '21',
    });
    expect([http.connections, http.opened]).toEqual([1, 1]);
    await clock.advance(20_000);
    expect(http.opened).toBe(0);
    expect(clock.pending).toBe(0);
    expect(links()).toEqual(['connecting', 'connected', 'idle']);
  });

  it('takes 204 for a confirmation of a notification, and for nothing else', async () => {
    for (const body of [undefined, new Uint8Array(0)]) {
      const { clock, link } = world(() => ({ status: body ? 200 : 204, body }));
      expect(await clock.run(link.exchange(notification, () => false))).toHaveLength(0);
      await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    }
  });

  it('tells how long a busy eIM wants to be left in peace', async () => {
    const { clock, http, link } = world(() => ({ status: 503, headers: { 'retry-after': '120' } }));
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({
      code: 'refused',
      retryAfter: 120_000,
      message: 'eim: HTTP status 503; it wants to be asked again in 120 s',
    });
    expect([http.requests.length, http.opened]).toEqual([1, 0]);
  });

  it.each([301, 400, 404, 415, 500, 503])('fails at once with status %i', async (status) => {
    const { clock, http, link } = world(() => ({ status, body: Buffer.from('no') }));
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({
      code: 'refused',
      retryAfter: 0,
    });
    expect([http.requests.length, clock.pending]).toEqual([1, 0]);
  });

  it('tries again with growing pauses, and no more than it may', async () => {
    const { clock, http, link } = world(() => ({ status: 200, body: none }));
    http.reachable = () => false;
    const start = clock.ticks;
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    expect(http.connections).toBe(3);
    expect(clock.ticks - start).toBeGreaterThan(1_500);
    http.reachable = () => true;
    await clock.run(link.exchange(poll, any));
  });

  it('gives an eIM that says nothing up', async () => {
    const { clock, http, link } = world(() => new Promise<never>(() => {}) as never);
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    expect(http.requests.length).toBe(3);
    expect(http.opened).toBe(0);
  });

  it('waits for the network no longer than for an answer, and goes on when it is back', async () => {
    const { clock, link, http } = world(() => ({ status: 200, body: none }), {}, false);
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    expect(http.connections).toBe(0);
    const answer = link.exchange(poll, any);
    await clock.advance(50_000);
    link.resume();
    expect(Buffer.from(await clock.run(answer))).toEqual(none);
    const second = link.exchange(poll, any);
    await clock.advance(10);
    link.suspend();
    expect(http.opened).toBe(0);
    await clock.advance(10_000);
    link.resume();
    expect(Buffer.from(await clock.run(second))).toEqual(none);
  });

  it('drops what answers something else, and what is too long', async () => {
    const { clock, link } = world(() => ({ status: 200, body: notification }));
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
    const long = world(() => ({ status: 200, body: Buffer.alloc(5_000, 1) }), { messageLimit: 1_000 });
    await expect(long.clock.run(long.link.exchange(poll, any))).rejects.toMatchObject({ code: 'tooLong' });
    const cut = world(() => ({ status: 200, body: none.subarray(0, 4) }));
    await expect(cut.clock.run(cut.link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
  });

  it('brings a long answer piece by piece, no faster than it is taken', async () => {
    const body = Buffer.concat([Buffer.from('bf3a834e2000', 'hex'), Buffer.alloc(20_000, 7)]);
    const { clock, link } = world(() => ({ status: 200, body }));
    const parts: Buffer[] = [];
    let busy = false;
    const take = async (piece: Uint8Array) => {
      expect(busy).toBe(false);
      busy = true;
      const copy = Buffer.from(piece);
      // Longer than an answer may take: it is our turn.
      if (parts.length === 3) await new Promise<void>((resolve) => clock.set(resolve, 100_000));
      expect(Buffer.from(piece)).toEqual(copy);
      parts.push(copy);
      busy = false;
      return true;
    };
    await clock.run(link.download(bind, { take }));
    expect(Buffer.concat(parts)).toEqual(body);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(192);
  });

  it('breaks a long answer off where it is not wanted, and fails where the connection breaks', async () => {
    const body = Buffer.concat([Buffer.from('bf3a834e2000', 'hex'), Buffer.alloc(20_000, 7)]);
    const { clock, link, http } = world(() => ({ status: 200, body }));
    await clock.run(link.download(bind, { take: async () => false }));
    expect(http.opened).toBe(0);
    const failing = { take: () => Promise.reject(new Error('the eUICC is gone')) };
    await expect(clock.run(link.download(bind, failing))).rejects.toThrow('the eUICC is gone');
    let pieces = 0;
    const cut = {
      take: async () => {
        if (++pieces === 8) http.reachable = () => false;
        return true;
      },
    };
    const before = http.requests.length;
    await expect(clock.run(link.download(bind, cut))).rejects.toMatchObject({ code: 'noAnswer' });
    expect(http.requests.length).toBe(before + 1);
  });

  it('fails what is open when it is closed', async () => {
    const { link, http } = world(() => ({ status: 200, body: none }));
    const open = link.exchange(poll, any);
    link.close();
    link.close();
    await expect(open).rejects.toMatchObject({ code: 'closed' });
    await expect(link.exchange(poll, any)).rejects.toMatchObject({ code: 'closed' });
    expect(http.opened).toBe(0);
  });
});

describe('the JSON binding', () => {
  const json = (value: unknown): MemoryResponse => ({
    status: 200,
    body: Buffer.from(JSON.stringify(value)),
  });
  const header = { functionExecutionStatus: { status: 'Executed-Success' } };
  const ask = async (request: Buffer, value: unknown) => {
    const { clock, link, http, events } = world(() => json(value), { binding: new JsonBinding() });
    const answer = Buffer.from(await clock.run(link.exchange(request, any))).toString('hex');
    return { answer, events, request: JSON.parse(Buffer.from(http.requests[0].body).toString()) as unknown };
  };

  it('polls', async () => {
    const asked = Buffer.from('bf4f1c5a10890490321234512345123456789012358000810101820362f210', 'hex');
    const { answer, request } = await ask(asked, { header, eimPackageError: 1 });
    expect(answer).toBe('bf4f03020101');
    expect(request).toEqual({
      eidValue: '89049032123451234512345678901235',
      notifyStateChange: true,
      stateChangeCause: 1,
      rPlmn: 'YvIQ',
    });
    const body = Buffer.from('bf5400', 'hex').toString('base64');
    expect((await ask(poll, { profileDownloadTriggerRequest: body, header })).answer).toBe('bf4f03bf5400');
  });

  it('reads octet strings with and without their tag', async () => {
    const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
    const asked = Buffer.from('bf390481020102', 'hex');
    const members = (signature: string, key: string) => ({
      header,
      serverCertificate: base64('3000'),
      serverSigned1: base64('30020500'),
      serverSignature1: base64(signature),
      euiccCiPKIdentifierToBeUsed: base64(key),
      matchingId: 'M',
    });
    const expected = 'bf3915a013300205005f3703aabbcc0402112230000c014d';
    for (const [signature, key] of [
      ['5f3703aabbcc', '04021122'],
      ['aabbcc', '1122'],
    ])
      expect((await ask(asked, members(signature, key))).answer).toBe(expected);
  });

  it('gives undefinedError for a function that failed, and tells what the eIM says', async () => {
    const failed = {
      header: {
        functionExecutionStatus: {
          status: 'Failed',
          statusCodeData: { subjectCode: '8.2.6', reasonCode: '3.8', message: 'refused' },
        },
      },
    };
    const { answer, events } = await ask(poll, failed);
    expect(answer).toBe('bf4f0302017f');
    expect(events).toContainEqual({
      event: 'failure',
      where: 'link',
      code: 'refusedByEim',
      detail: 'eim says Failed: 8.2.6 3.8 refused',
    });
    await expect(ask(notification, failed)).rejects.toMatchObject({ code: 'noAnswer' });
  });

  it.each(['', '{', '[]', '{"header":{}}', 'x'])('refuses %j', async (text) => {
    const { clock, link } = world(() => ({ status: 200, body: Buffer.from(text) }), {
      binding: new JsonBinding(),
    });
    await expect(clock.run(link.exchange(poll, any))).rejects.toMatchObject({ code: 'noAnswer' });
  });
});
