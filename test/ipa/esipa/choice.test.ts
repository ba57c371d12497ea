import { describe, expect, it } from 'vitest';
import type { EimConfiguration } from '../../../ipa/es10/index.js';
import { addressOf, chooseLink, type LinkKind, needsTls, protocolsOf } from '../../../ipa/esipa/index.js';

const eim = (protocols: number, eimFqdn: string | undefined = 'eim.example.com'): EimConfiguration => ({
  eimId: 'eim',
  eimFqdn,
  protocols,
  indirectProfileDownload: false,
  way: 0,
  trustedTls: undefined,
});
const all: LinkKind[] = ['coaps', 'mqtt', 'https'];

describe('the choice of a link', () => {
  it.each([
    ['HTTPS only', 0x80, 'https'],
    ['CoAPS only', 0x40, 'coaps'],
    ['MQTT only', 0x08, 'mqtt'],
    ['all: what the device likes best', 0xc8, 'coaps'],
    ['HTTPS and MQTT', 0x88, 'mqtt'],
    ['injection only', 0x30, undefined],
    ['nothing', 0x00, undefined],
  ])('%s', (_what, protocols, kind) => {
    expect(chooseLink(eim(protocols), all)).toBe(kind);
  });

  it('takes what the device has, and needs a name where the link leads to the eIM', () => {
    expect(chooseLink(eim(0xc8), ['https'])).toBe('https');
    expect(chooseLink(eim(0xc8), [])).toBeUndefined();
    expect(chooseLink(eim(0x88, ''), ['https', 'mqtt'])).toBe('mqtt');
    expect(chooseLink({ ...eim(0x80), eimFqdn: undefined }, all)).toBeUndefined();
  });

  it('IpaCapabilities say the same', () => {
    expect(protocolsOf(['https'])).toBe(0x80);
    expect(protocolsOf(all)).toBe(0xc8);
    expect(protocolsOf([])).toBe(0);
    expect([needsTls(0x08), needsTls(0x80), needsTls(0x40)]).toEqual([false, true, true]);
  });

  it('a name may have a port', () => {
    expect(addressOf('eim.example.com')).toEqual({ host: 'eim.example.com', port: undefined });
    expect(addressOf('eim.example.com:8443')).toEqual({ host: 'eim.example.com', port: 8443 });
    expect(addressOf('::1')).toEqual({ host: '::1', port: undefined });
    expect(addressOf('eim:99999')).toEqual({ host: 'eim:99999', port: undefined });
  });
});
