import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { httpConfiguration } from '../../../hal/node/http.js';
import { type TlsTrust, trustOf } from '../../../hal/node/trust.js';
import { behaviour, exchange } from '../http-behaviour.js';
import { type Identity, identity } from './identity.js';

behaviour('the HTTP client on Node', (port) => httpConfiguration({ url: `http://127.0.0.1:${port}` }));

describe('the HTTP client on Node over TLS', () => {
  const server = 'eim.example.com';
  let ca: Identity;
  let good: Identity;
  let expired: Identity;
  let foreign: Identity;
  const open: Server[] = [];
  let reached = 0;

  beforeAll(async () => {
    ca = await identity('CA', { ca: true });
    good = await identity(server, { issuer: ca });
    expired = await identity(server, { issuer: ca, from: -5 });
    foreign = await identity(server);
  });
  afterEach(async () => {
    reached = 0;
    for (const one of open.splice(0)) await new Promise((resolve) => one.close(resolve));
  });

  async function ask(shown: Identity, trust: TlsTrust | undefined, serverName = server): Promise<string> {
    const one = createServer({ cert: shown.cert, key: shown.key }, (_request, response) => {
      reached++;
      response.setHeader('connection', 'close');
      response.end('hello');
    });
    one.on('tlsClientError', () => {});
    open.push(one);
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
    const { port } = one.address() as AddressInfo;
    const configuration = httpConfiguration({ url: `https://127.0.0.1:${port}`, trust, serverName });
    const client = new configuration.io({ ...configuration });
    try {
      return String((await exchange(client, { path: '/' })).body);
    } finally {
      client.close();
    }
  }

  it('trusts a chain to a given root, and a pinned key', async () => {
    expect(await ask(good, { roots: [ca.der] })).toBe('hello');
    expect(await ask(good, { roots: [ca.cert] })).toBe('hello');
    expect(await ask(good, { pin: good.spki })).toBe('hello');
    expect(await ask(foreign, { pin: foreign.spki }, 'other.example.com')).toBe('hello');
  });

  it('reads the trust of an eIM configuration: a CA is a root, another certificate is pinned', async () => {
    expect(await ask(good, trustOf('certificate', ca.der))).toBe('hello');
    expect(trustOf('certificate', good.der)).toEqual({ pin: good.spki });
    expect(trustOf('publicKey', good.spki)).toEqual({ pin: good.spki });
  });

  it.each([
    ['a foreign chain', () => ask(foreign, { roots: [ca.der] }), 'self-signed'],
    ['a foreign key', () => ask(foreign, { pin: good.spki }), 'another key'],
    ['an expired certificate', () => ask(expired, { roots: [ca.der] }), 'expired'],
    ['an expired pinned certificate', () => ask(expired, { pin: expired.spki }), 'valid from'],
    ['another name', () => ask(good, { roots: [ca.der] }, 'other.example.com'), 'altnames'],
    ['a test server by the roots of the system', () => ask(good, undefined), 'unable to verify'],
  ])('refuses %s and sends nothing', async (_name, act, reason) => {
    await expect(act()).rejects.toThrow(reason);
    expect(reached).toBe(0);
  });

  it('refuses an address that is none', () => {
    expect(() => httpConfiguration({ url: 'mqtt://x' })).toThrow('http://');
    expect(() => httpConfiguration({ url: 'x' })).toThrow('http://host:port');
  });
});
