import { type KeyValue, XsIpaError } from '../hal/contracts/index.js';
import { linkNames, readRoutes } from './routes.js';

/** What a value may be. A secret is a text that is never shown; hex is a text of whole bytes; empty = absent. */
export type SettingKind = 'text' | 'secret' | 'number' | 'flag' | 'hex';

export interface Setting {
  /** Name for people and in the manifest's `config.xsIpa`; the key in storage is `cfg.` and the name. */
  readonly name: string;
  readonly kind: SettingKind;
  readonly fallback: string;
  readonly help: string;
  /** Throws {@link XsIpaError} `usage` for a value that is none. */
  readonly check?: (value: string) => void;
}

/** Everything a device has to be told. Names are at most 11 characters: NVS keys have 15. */
export const SETTINGS: readonly Setting[] = [
  { name: 'eim', kind: 'hex', fallback: '', help: 'EimConfigurationData for an eUICC without an eIM' },
  {
    name: 'links',
    kind: 'text',
    fallback: 'mqtt',
    help: 'ways to an eIM, best first: mqtt, https, https-json, coaps, coap, with commas between',
    check: linkNames,
  },
  {
    name: 'route',
    kind: 'text',
    fallback: '',
    help: 'where an eIM really is: name=https://host:port or coaps://, several with commas between',
    check: readRoutes,
  },
  { name: 'insecure', kind: 'flag', fallback: '0', help: '1 = coap and routes by http://, for tests only' },
  { name: 'eimPrefix', kind: 'text', fallback: 'esipa', help: 'first level of the topics' },
  { name: 'host', kind: 'text', fallback: '', help: 'name or address of the broker' },
  { name: 'port', kind: 'number', fallback: '1883', help: 'its port' },
  { name: 'tls', kind: 'flag', fallback: '0', help: '1 = TLS to it, where the firmware has TLS' },
  { name: 'user', kind: 'text', fallback: '', help: 'user name for the broker' },
  { name: 'password', kind: 'secret', fallback: '', help: 'password for the broker' },
  { name: 'keepAlive', kind: 'number', fallback: '300', help: 'seconds between signs of life to the broker' },
  { name: 'sntp', kind: 'text', fallback: '', help: 'time server, for the dates of certificates' },
  { name: 'ssid', kind: 'text', fallback: '', help: 'Wi-Fi network' },
  { name: 'wifiKey', kind: 'secret', fallback: '', help: 'its password' },
  { name: 'model', kind: 'text', fallback: '', help: 'row of the quirks table; empty = the modem says it' },
  { name: 'access', kind: 'text', fallback: 'auto', help: 'way to the card: auto, csim or cgla' },
  {
    name: 'maxResponse',
    kind: 'number',
    fallback: '48',
    help: 'most bytes asked for by GET RESPONSE; 0 = no cap',
  },
  { name: 'blockSize', kind: 'number', fallback: '255', help: 'bytes of a STORE DATA block' },
  { name: 'uart', kind: 'number', fallback: '1', help: 'UART of the modem' },
  { name: 'receive', kind: 'number', fallback: '-1', help: 'pin that receives from the modem' },
  { name: 'transmit', kind: 'number', fallback: '-1', help: 'pin that transmits to the modem' },
  { name: 'baud', kind: 'number', fallback: '115200', help: 'its rate' },
  { name: 'device', kind: 'text', fallback: '', help: 'path of the tty, on Linux only' },
  { name: 'poll', kind: 'number', fallback: '3600', help: 'seconds between polls' },
  {
    name: 'smdp',
    kind: 'flag',
    fallback: '0',
    help: '1 = reach SM-DP+ by HTTPS, where the firmware has TLS',
  },
  { name: 'confirm', kind: 'secret', fallback: '', help: 'confirmation code for downloads that need one' },
  { name: 'profileApn', kind: 'flag', fallback: '0', help: "1 = the modem's APN is the enabled profile's" },
  { name: 'sleep', kind: 'flag', fallback: '0', help: '1 = deep sleep between polls' },
  {
    name: 'watchdog',
    kind: 'number',
    fallback: '120',
    help: 'seconds without life until a restart; 0 = never',
  },
];

/** Settings: the manifest's values, and over them those that were stored on this device. */
export class Provisioning {
  readonly #storage: KeyValue;
  readonly #config: Readonly<Record<string, unknown>>;

  /** @param config the manifest's `config.xsIpa` */
  constructor(storage: KeyValue, config: Readonly<Record<string, unknown>> = {}) {
    this.#storage = storage;
    this.#config = config;
  }

  /** @throws {XsIpaError} `usage` for names that are no setting */
  text(name: string): string {
    const setting = settingNamed(name);
    const stored = this.#storage.read(key(name));
    if (stored !== undefined) return stored;
    const built = this.#config[name];
    if (typeof built === 'boolean') return built ? '1' : '0';
    return built === undefined ? setting.fallback : String(built);
  }

  number(name: string): number {
    const value = Number(this.text(name));
    // What the manifest says is not checked before it is used.
    if (!Number.isInteger(value)) throw new XsIpaError('usage', `${name} must be a whole number`);
    return value;
  }

  flag(name: string): boolean {
    return this.text(name) === '1';
  }

  /** Undefined when empty. */
  optional(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  /** Undefined when empty. */
  bytes(name: string): Uint8Array | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    checkHex(name, text);
    const bytes = new Uint8Array(text.length / 2);
    for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
    return bytes;
  }

  /** Stores a value on this device. @throws {XsIpaError} `usage` when it is none for this setting */
  set(name: string, value: string): void {
    const { kind, check } = settingNamed(name);
    if (kind === 'number' && !Number.isInteger(Number(value || 'x'))) {
      throw new XsIpaError('usage', `${name} is a whole number`);
    }
    if (kind === 'flag' && value !== '0' && value !== '1') throw new XsIpaError('usage', `${name} is 0 or 1`);
    if (kind === 'hex') checkHex(name, value);
    check?.(value);
    this.#storage.write(key(name), value);
  }

  /** Back to the manifest's value. */
  unset(name: string): void {
    settingNamed(name);
    this.#storage.delete(key(name));
  }

  /** One line for people; `*` behind values that were stored. */
  describe(name: string): string {
    const { kind } = settingNamed(name);
    const text = this.text(name);
    const shown = kind === 'secret' && text !== '' ? '(set)' : text;
    return `${name} = ${shown}${this.#storage.read(key(name)) === undefined ? '' : ' *'}`;
  }
}

function key(name: string): string {
  return `cfg.${name}`;
}

function settingNamed(name: string): Setting {
  for (const setting of SETTINGS) if (setting.name === name) return setting;
  throw new XsIpaError('usage', `no setting is called "${name}"`);
}

function checkHex(name: string, text: string): void {
  let bad = text.length % 2 !== 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at) | 0x20;
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) bad = true;
  }
  if (bad) throw new XsIpaError('usage', `${name} is bytes in hexadecimal digits`);
}
