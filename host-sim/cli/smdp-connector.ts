import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { httpConfiguration } from '../../hal/node/http.js';
import type { IpadOptions } from '../../ipa/ipad.js';
import { SmdpServer } from '../../ipa/procedures/index.js';
import { loadPki } from '../pki/index.js';
import { StateFolder } from './folder.js';
import { collect, readCertificate, serverRoute } from './operands.js';

/** How the device reaches SM-DP+ and SM-DS by itself. */
export interface SmdpOptions {
  smdp: string[];
  trust: string[];
  state: string;
  pki?: string;
}

export function smdpOption(): Option {
  return new Option(
    '--smdp <name=url>',
    'where an SM-DP+ really is, for example smdp.example.com=https://127.0.0.1:8443; several times',
  )
    .argParser(collect)
    .default([], 'where its name leads');
}

export function trustOption(): Option {
  return new Option(
    '--trust <file>',
    "CI certificate that an SM-DP+'s TLS certificate may hang from; several times",
  )
    .argParser(collect)
    .default([], "the system's");
}

/** To the SM-DP+ of --smdp, and to all others by their names. */
export function smdpConnector({
  smdp,
  trust,
  state,
  pki,
}: SmdpOptions): NonNullable<IpadOptions['connectSmdp']> {
  const routes = Object.fromEntries(smdp.map((one) => serverRoute(one)));
  const trusted = trust.map(readCertificate);
  return (address, isSmds) => {
    const route = routes[address.toLowerCase()];
    // The SM-DP+ of tests has its certificate from the same hierarchy as the virtual eUICC.
    const own = route === undefined ? [] : testCertificates(pki ?? new StateFolder(state).file('pki'));
    const roots = [...trusted, ...own];
    const name = address.replace(/:\d+$/, '');
    const http = httpConfiguration({
      url: route ?? `https://${address}`,
      ...(route !== undefined && { serverName: name }),
      trust: { roots: roots.length > 0 ? roots : 'system' },
    });
    return new SmdpServer(address, http, isSmds);
  };
}

function testCertificates(path: string): readonly Uint8Array[] {
  return existsSync(path) ? loadPki(path).ciCertificates : [];
}
