import { describe, expect, it } from 'vitest';
import { DeviceLinks, type LinkParts } from '../../firmware/links.js';
import { Provisioning } from '../../firmware/provisioning.js';
import { linkNames, readRoutes, routeTo } from '../../firmware/routes.js';
import type {
  HttpClient,
  HttpClientOptions,
  HttpRequest,
  HttpRequestOptions,
  MqttClient,
  MqttOptions,
  SecurePeer,
  TcpConfiguration,
  UdpConfiguration,
  UdpSocket,
} from '../../hal/contracts/index.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { VirtualClock } from '../../host-sim/clock.js';
import { type EimConfiguration, Protocol } from '../../ipa/es10/index.js';
import { type LinkKind, protocolsOf } from '../../ipa/esipa/index.js';

const EID = Uint8Array.from(Buffer.from('89049032123451234512345678901235', 'hex'));
const KEY = Uint8Array.of(0x30, 0x00);

/** A configuration with these bits of eimSupportedProtocol. */
function eimWith(...bits: number[]): EimConfiguration {
  return {
    eimId: 'eim1',
    eimFqdn: 'eim.example.com',
    protocols: bits.reduce((sum, bit) => sum | (0x80 >> bit), 0),
    indirectProfileDownload: false,
    way: 1,
    trustedTls: { kind: 'publicKey', der: KEY },
  };
}

interface Board {
  tls?: boolean;
  dtls?: boolean;
}

/** A device with these settings, and what its links open when they are used. */
function setUp(settings: Record<string, unknown>, { tls = true, dtls = false }: Board = {}) {
  const opened: Record<string, unknown>[] = [];
  const paths: string[] = [];
  const tcp = { io: class Plain {} } as unknown as TcpConfiguration;
  class Http implements HttpClient {
    constructor({ host, port, socket }: HttpClientOptions) {
      opened.push({ link: 'https', host, port, socket });
    }
    request({ path }: HttpRequestOptions): HttpRequest {
      paths.push(path ?? '');
      return { read: () => 0, write: () => 0 };
    }
    close(): void {}
  }
  class Mqtt implements MqttClient {
    constructor({ host, port, socket }: MqttOptions) {
      opened.push({ link: 'mqtt', host, port, socket });
    }
    write(): number {
      return 0;
    }
    read(): number {
      return 0;
    }
    close(): void {}
  }
  const udpOf = (security: unknown): UdpConfiguration => ({
    io: class implements UdpSocket {
      read() {
        return undefined;
      }
      write(_datagram: Uint8Array, address: string, port: number): void {
        opened.push({ link: 'coap', address, port, security });
      }
      close(): void {}
    },
  });
  const clock = new VirtualClock();
  const parts: LinkParts = {
    timer: clock,
    random: () => 0.5,
    dns: {
      io: class {
        resolve({ host, onResolved }: { host: string; onResolved?: (host: string, to: string) => void }) {
          onResolved?.(host, `address of ${host}`);
        }
      },
    },
    tcp,
    udp: udpOf('none'),
    mqtt: Mqtt,
    http: Http,
    ...(tls && { tls: (peer: SecurePeer) => ({ secured: peer }) as unknown as TcpConfiguration }),
    ...(dtls && { secureUdp: (peer: SecurePeer) => udpOf(peer) }),
  };
  const links = new DeviceLinks(new Provisioning(new MemoryKeyValue(), settings), parts);
  /** Uses the link to this eIM, and gives what it opened. */
  const use = async (eim: EimConfiguration) => {
    const link = links.create(eim, EID);
    link?.resume();
    link?.exchange(Uint8Array.of(0xbf, 0x4f, 0x00), () => true).catch(() => {});
    await clock.advance(10);
    link?.close();
    return opened.splice(0);
  };
  return { links, use, tcp, paths };
}

const all = [Protocol.retrieveHttps, Protocol.retrieveCoaps, Protocol.proprietary];

describe('DeviceLinks', () => {
  it('has MQTT and nothing else where the settings say nothing', async () => {
    const { links, use, tcp } = setUp({ host: 'broker.example' });
    expect(links.kinds).toEqual(['mqtt']);
    expect(protocolsOf(links.kinds)).toBe(0x08);
    expect(await use(eimWith(...all))).toEqual([
      { link: 'mqtt', host: 'broker.example', port: 1883, socket: tcp },
    ]);
    expect(links.create(eimWith(Protocol.retrieveHttps), EID)).toBeUndefined();
  });

  it.each<[string, Board, LinkKind[], number]>([
    ['https,mqtt', {}, ['https', 'mqtt'], 0x88],
    ['mqtt, https', {}, ['mqtt', 'https'], 0x88],
    ['https-json', {}, ['https'], 0x80],
    ['coaps,https', { dtls: true }, ['coaps', 'https'], 0xc0],
    ['coaps,https', { dtls: false }, ['https'], 0x80],
    ['https,mqtt', { tls: false }, ['mqtt'], 0x08],
    ['coap,mqtt', { dtls: true }, ['mqtt'], 0x08],
  ])('announces what it can do: %s on %o', (names, board, kinds, protocols) => {
    const { links } = setUp({ links: names, host: 'broker.example' }, board);
    expect(links.kinds).toEqual(kinds);
    expect(protocolsOf(links.kinds)).toBe(protocols);
    expect(links.missing).toHaveLength(names.split(',').length - kinds.length);
  });

  it.each([
    [{}, {}, 'no mqtt: no broker is set: set host <name or address>'],
    [
      { host: 'b', tls: 1 },
      { tls: false },
      'no mqtt: this firmware is built without TLS: include firmware/manifest_tls.json',
    ],
    [
      { links: 'coaps,https' },
      { tls: false },
      'no coaps: this board has no DTLS; no https: this firmware is built without TLS',
    ],
    [{ links: 'coap' }, {}, 'no coap: CoAP without DTLS is for tests: set insecure 1'],
    [{ links: 'gopher' }, {}, 'no link is called "gopher": mqtt, https, https-json, coaps, coap'],
    [{ links: ' , ' }, {}, 'links names none of'],
    [{ host: 'b', route: 'eim=ftp://x' }, {}, '"eim=ftp://x" is no route: write name=https://host:port'],
  ])('says what is missing when no link is left: %o', (settings, board, message) => {
    expect(() => setUp(settings, board)).toThrow(message);
  });

  it('takes the first link that the eIM supports', async () => {
    const { use } = setUp({ links: 'https,mqtt', host: 'broker.example' });
    expect((await use(eimWith(...all)))[0]).toMatchObject({ link: 'https' });
    expect((await use(eimWith(Protocol.proprietary)))[0]).toMatchObject({ link: 'mqtt' });
    expect((await use({ ...eimWith(...all), eimFqdn: undefined }))[0]).toMatchObject({ link: 'mqtt' });
    expect(await use(eimWith(Protocol.retrieveCoaps))).toEqual([]);
  });

  it('reaches an eIM by its name and trusts what its configuration says', async () => {
    const { use, paths } = setUp({ links: 'https' });
    const secured = { serverName: 'eim.example.com', trust: { kind: 'publicKey', der: KEY } };
    const socket = { secured };
    expect(await use(eimWith(...all))).toEqual([
      { link: 'https', host: 'eim.example.com', port: 443, socket },
    ]);
    expect(await use({ ...eimWith(...all), eimFqdn: 'eim.example.com:8443' })).toEqual([
      { link: 'https', host: 'eim.example.com', port: 8443, socket },
    ]);
    expect(paths).toEqual(['/gsma/rsp2/asn1', '/gsma/rsp2/asn1']);
  });

  it('speaks JSON when it is told to', async () => {
    const { use, paths } = setUp({ links: 'https-json,https' });
    await use(eimWith(...all));
    expect(paths).toEqual(['/gsma/rsp2/esipa/getEimPackage']);
  });

  it('goes where a route says, the name stays the one that is checked', async () => {
    const { use } = setUp({ links: 'https', route: 'EIM.example.com=https://192.0.2.1:8443/' });
    expect(await use(eimWith(...all))).toMatchObject([
      { host: '192.0.2.1', port: 8443, socket: { secured: { serverName: 'eim.example.com' } } },
    ]);
    const usual = setUp({ links: 'https', route: 'eim.example.com=https://192.0.2.1' });
    expect(await usual.use({ ...eimWith(...all), eimFqdn: 'eim.example.com:8443' })).toMatchObject([
      { host: '192.0.2.1', port: 443 },
    ]);
  });

  it('leaves security out where a route says so and tests are set, and nowhere else', async () => {
    const route = 'eim.example.com=http://192.0.2.1';
    const { links } = setUp({ links: 'https', route });
    expect(() => links.create(eimWith(...all), EID)).toThrow('set insecure 1');
    const { use, tcp } = setUp({ links: 'https', route, insecure: true }, { tls: false });
    expect(await use(eimWith(...all))).toEqual([{ link: 'https', host: '192.0.2.1', port: 80, socket: tcp }]);
    const other = setUp({ links: 'https', insecure: true }, { tls: false });
    expect(() => other.links.create(eimWith(...all), EID)).toThrow('built without');
  });

  it("sends CoAP over the board's DTLS", async () => {
    const { use } = setUp(
      { links: 'coaps', route: 'eim.example.com=coaps://192.0.2.1:9999' },
      { dtls: true },
    );
    const [first] = await use(eimWith(...all));
    expect(first).toEqual({
      link: 'coap',
      address: '192.0.2.1',
      port: 9999,
      security: { serverName: 'eim.example.com', trust: { kind: 'publicKey', der: KEY } },
    });
    const usual = setUp({ links: 'coaps' }, { dtls: true });
    expect((await usual.use(eimWith(...all)))[0]).toMatchObject({
      address: 'address of eim.example.com',
      port: 5684,
    });
  });

  it('sends CoAP in the clear for tests only', async () => {
    const { use } = setUp({ links: 'coap,coaps', insecure: true }, { dtls: true });
    expect((await use(eimWith(...all)))[0]).toMatchObject({ port: 5683, security: 'none' });
  });

  it('reaches the broker by TLS when it is told to', async () => {
    const { use } = setUp({ host: 'broker.example', port: 8883, tls: true });
    expect(await use(eimWith(...all))).toEqual([
      {
        link: 'mqtt',
        host: 'broker.example',
        port: 8883,
        socket: { secured: { serverName: 'broker.example' } },
      },
    ]);
  });
});

describe('routes', () => {
  it('reads several', () => {
    const routes = readRoutes('a.example=https://h:1, A.example=coap://c ,b.example=http://192.0.2.1/');
    expect(routes).toEqual([
      { name: 'a.example', scheme: 'https', host: 'h', port: 1 },
      { name: 'a.example', scheme: 'coap', host: 'c', port: undefined },
      { name: 'b.example', scheme: 'http', host: '192.0.2.1', port: undefined },
    ]);
    expect(routeTo(routes, 'a.EXAMPLE', ['coap'])?.host).toBe('c');
    expect(routeTo(routes, 'b.example', ['https'])).toBeUndefined();
    expect(readRoutes('')).toEqual([]);
  });

  it.each([
    'x',
    '=https://h',
    'a=h:1',
    'a=https://',
    'a=https://h:',
    'a=https://h:0',
    'a=https://h:65536',
    'a=https://h:1x',
    'a=https://h/path',
    'a=https://[::1]:1',
  ])('refuses %s', (text) => {
    expect(() => readRoutes(text)).toThrow('is no route');
  });

  it('are checked where they are set', () => {
    const settings = new Provisioning(new MemoryKeyValue());
    expect(() => settings.set('route', 'x')).toThrow('is no route');
    expect(() => settings.set('links', 'https,ftp')).toThrow('no link is called "ftp"');
    settings.set('links', 'https,mqtt');
    expect(linkNames(settings.text('links'))).toEqual(['https', 'mqtt']);
  });
});
