import { XsIpaError } from '../hal/contracts/index.js';

/** What the setting `links` can name. */
export const LINK_NAMES = ['mqtt', 'https', 'https-json', 'coaps', 'coap'] as const;

export type LinkName = (typeof LINK_NAMES)[number];

/** Where an eIM really is. */
export interface Route {
  /** Its eimFqdn, in small letters. */
  name: string;
  scheme: string;
  host: string;
  port: number | undefined;
}

const SCHEMES = ['https', 'http', 'coaps', 'coap'];

/** Links, best first, with commas between. @throws {XsIpaError} `usage` */
export function linkNames(text: string): LinkName[] {
  const names = parts(text);
  for (const name of names) {
    if (!(LINK_NAMES as readonly string[]).includes(name))
      throw new XsIpaError('usage', `no link is called "${name}": ${LINK_NAMES.join(', ')}`);
  }
  if (names.length === 0) throw new XsIpaError('usage', `links names none of ${LINK_NAMES.join(', ')}`);
  return names as LinkName[];
}

/** `eim.example.com=https://192.0.2.1:8443`, several with commas between. @throws {XsIpaError} `usage` */
export function readRoutes(text: string): Route[] {
  return parts(text).map(readRoute);
}

/** The route to an eIM by one of these schemes. */
export function routeTo(
  routes: readonly Route[],
  name: string,
  schemes: readonly string[],
): Route | undefined {
  const small = name.toLowerCase();
  for (const route of routes) if (route.name === small && schemes.includes(route.scheme)) return route;
  return undefined;
}

function parts(text: string): string[] {
  const found: string[] = [];
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed !== '') found.push(trimmed);
  }
  return found;
}

function readRoute(text: string): Route {
  const equals = text.indexOf('=');
  const slashes = text.indexOf('://', equals);
  const scheme = text.slice(equals + 1, slashes);
  let host = text.slice(slashes + 3);
  if (host.endsWith('/')) host = host.slice(0, -1);
  const colon = host.indexOf(':');
  const digits = colon < 0 ? undefined : host.slice(colon + 1);
  const port = digits === undefined ? undefined : Number(digits);
  if (colon >= 0) host = host.slice(0, colon);
  const isPort =
    port === undefined || (digits !== '' && Number.isInteger(port) && port > 0 && port < 0x10000);
  const isHost = host !== '' && !host.includes('/') && !host.includes(' ');
  if (equals < 1 || slashes < 0 || !SCHEMES.includes(scheme) || !isHost || !isPort)
    throw new XsIpaError('usage', `"${text}" is no route: write name=https://host:port`);
  return { name: text.slice(0, equals).toLowerCase(), scheme, host, port };
}
