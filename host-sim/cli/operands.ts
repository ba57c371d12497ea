import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { XsIpaError } from '../../hal/contracts/index.js';
import { GENERIC, QUIRKS, quirksNamed } from '../../hal/modem/index.js';
import { Asn1Error, decode, EimConfigurationData } from '../asn1/index.js';
import { personalityByName } from '../modem/index.js';

/** An option or operand that cannot be used; the message says what to write instead. */
export class UsageError extends XsIpaError {
  override readonly name = 'UsageError';

  constructor(message: string, options?: { cause?: unknown }) {
    super('usage', message, options);
  }
}

/** Seconds above 0. */
export function seconds(text: string): number {
  const value = Number(text);
  // A timer holds 31 bits of milliseconds.
  if (text.trim() === '' || !(value > 0 && value <= 2_000_000)) {
    throw new InvalidArgumentError('A number of seconds above 0 is needed.');
  }
  return value;
}

/** How many times faster than real time. */
export function speed(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1000)) {
    throw new InvalidArgumentError('A number above 0, at most 1000, is needed.');
  }
  return value;
}

/** A whole number between `least` and `most`. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`A whole number from ${least} to ${most} is needed.`);
    }
    return value;
  };
}

export function eid(text: string): string {
  if (!/^\d{32}$/.test(text)) throw new InvalidArgumentError('An EID has 32 decimal digits.');
  return text;
}

export function iccid(text: string): string {
  if (!/^\d{18,20}$/.test(text)) {
    throw new InvalidArgumentError('An ICCID has 18 to 20 decimal digits; `eim list-profiles` shows them.');
  }
  return text;
}

/** A row of the table of modem quirks. */
function quirks(text: string): string {
  if (quirksNamed(text)) return text;
  const names = [GENERIC, ...QUIRKS].map(({ name }) => name);
  throw new InvalidArgumentError(`The table of modem quirks has ${names.join(', ')}.`);
}

/** A kind of simulated modem. */
export function personality(text: string): string {
  try {
    personalityByName(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** What the IPA finds out by itself about a modem, and can be told instead. */
export function accessOption(): Option {
  return new Option('--access <way>', 'way to the card').choices(['auto', 'csim', 'cgla']).default('auto');
}

export function quirksOption(): Option {
  const text = 'row of the table of modem quirks, instead of what the modem says of itself';
  return new Option('--quirks <name>', text).argParser(quirks);
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** host and port of tcp://host:port. @throws UsageError */
export function tcpAddress(text: string): { host: string; port: number } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const rest = url && url.pathname + url.search + url.hash;
  if (url?.protocol !== 'tcp:' || url.hostname === '' || url.port === '' || (rest !== '' && rest !== '/')) {
    throw new UsageError(`"${text}" is no address to listen on: write tcp://127.0.0.1:PORT`);
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) };
}

/** Topic prefixes: one for all eIMs, and those of single ones. */
interface TopicPrefixes {
  all?: string;
  byEim: Record<string, string>;
}

/** `PREFIX` or `EIMID=PREFIX`, any number of them. @throws UsageError */
export function topicPrefixes(texts: readonly string[]): TopicPrefixes {
  const found: TopicPrefixes = { byEim: {} };
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    const prefix = text.slice(at + 1);
    if (!/^[^+#{}\s]+$/.test(prefix) || prefix.startsWith('/') || prefix.endsWith('/')) {
      throw new UsageError(`"${prefix}" is no topic prefix: write something like esipa or fleet/esipa`);
    }
    if (at >= 0) found.byEim[text.slice(0, at)] = prefix;
    else if (found.all === undefined) found.all = prefix;
    else throw new UsageError('--topics PREFIX was given twice; for one eIM write --topics EIMID=PREFIX');
  }
  return found;
}

export function topicsOf(prefix: string): { toEim: string; toIpa: string } {
  return { toEim: `${prefix}/{eid}/eim`, toIpa: `${prefix}/{eid}/ipa` };
}

/** An EimConfigurationData given as hex or as a file of DER or hex. @throws UsageError */
export function configurationBytes(text: string): Uint8Array {
  const bytes = fromHex(text) ?? fromFile(text);
  const no = (why: string, cause?: unknown) =>
    new UsageError(
      `${text.length > 60 ? 'this' : text} is no EimConfigurationData: ${why}; \`npx xs-ipa eim configuration\` makes one`,
      { cause },
    );
  if (bytes[0] !== 0x30) throw no('its DER begins with 30');
  try {
    decode(EimConfigurationData, bytes);
  } catch (error) {
    if (!(error instanceof Asn1Error)) throw error;
    throw no(error.message, error);
  }
  return bytes;
}

function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s/g, '');
  if (digits.length < 4 || !/^([0-9A-Fa-f]{2})+$/.test(digits)) return undefined;
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function fromFile(path: string): Uint8Array {
  const bytes = readBytes(path, 'EimConfigurationData');
  return fromHex(bytes.toString('latin1')) ?? Uint8Array.from(bytes);
}

/** @throws UsageError naming the file and what it should have been */
export function readBytes(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : message;
    throw new UsageError(`${what} ${path} cannot be read: ${why}`, { cause });
  }
}

/** @throws UsageError */
export function readPem(path: string): string {
  return readBytes(path, 'the PEM file').toString('utf8');
}

export function readJson(path: string, what: string): unknown {
  const text = readBytes(path, what).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${what} ${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Where a server really is: `NAME=URL`. @throws UsageError */
export function serverRoute(text: string, scheme = 'https', also = 'http'): [name: string, url: string] {
  const [name, ...rest] = text.split('=');
  const url = rest.join('=');
  const isUrl = [scheme, also].some((one) => url.startsWith(`${one}://`)) && URL.canParse(url);
  if (name === '' || !isUrl)
    throw new UsageError(`"${text}" does not say where a server is: write NAME=${scheme}://HOST:PORT`);
  return [name.toLowerCase(), url];
}

/** A certificate as PEM or DER. @returns DER @throws UsageError */
export function readCertificate(path: string): Uint8Array {
  const bytes = readBytes(path, 'the CI certificate');
  try {
    return Uint8Array.from(new X509Certificate(bytes).raw);
  } catch (cause) {
    throw new UsageError(`${path} is no certificate, neither PEM nor DER`, { cause });
  }
}

/** What the simulated card is. */
export function cardOption(): Option {
  return new Option(
    '--card <kind>',
    'what the simulated card is: an eUICC of SGP.32, SGP.22, SGP.02, or none',
  )
    .choices(['iot', 'consumer', 'm2m', 'none'])
    .default('iot');
}

const transportNames = ['mqtt', 'coap', 'coaps', 'https', 'https-json'] as const;
export type Transport = (typeof transportNames)[number];

/** Links of a device, best first. @throws UsageError */
export function transports(text: string): Transport[] {
  const found = text.split(',').map((name) => {
    const known = transportNames.find((one) => one === name.trim());
    if (!known) throw new UsageError(`"${name}" is no link; there are ${transportNames.join(', ')}`);
    return known;
  });
  if (found.includes('https') && found.includes('https-json'))
    throw new UsageError('https and https-json are two bindings of one link; name one of them');
  if (found.includes('coap') && found.includes('coaps'))
    throw new UsageError('coap and coaps are one link, without security and with it; name one of them');
  return found;
}
