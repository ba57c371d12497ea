import { httpConfiguration } from '../../hal/node/http.js';
import type { TlsSessions } from '../../hal/node/tls-sessions.js';
import type { EimConfiguration } from '../../ipa/es10/index.js';
import { Asn1Binding, HttpsLink, type HttpsLinkOptions } from '../../ipa/esipa/https/index.js';
import { JsonBinding } from '../../ipa/esipa/https/json.js';
import { addressOf } from '../../ipa/esipa/index.js';
import type { Bearer } from '../modem/bearer.js';
import { trustedAs } from './eim-trust.js';

export interface HttpsOptions {
  /** Function binding; `asn1` when absent. */
  binding?: 'asn1' | 'json';
  /** Where the eIM of a name really is, by eimFqdn: `https://host:port`. The name is still the one of SNI and certificate. */
  routes?: Readonly<Record<string, string>>;
}

interface HttpsWorld extends Omit<HttpsLinkOptions, 'eimId' | 'http' | 'binding'> {
  https?: HttpsOptions;
  sessions?: TlsSessions;
  bearer?: Bearer;
}

/** The HTTPS link to an eIM: its eimFqdn says where, its trustedPublicKeyDataTls whom to trust (esipa.md §7). */
export function httpsLink(
  eim: EimConfiguration,
  { https = {}, sessions, bearer, ...rest }: HttpsWorld,
): HttpsLink {
  const { host: name, port = 443 } = addressOf(eim.eimFqdn ?? '');
  const route = https.routes?.[name.toLowerCase()];
  const http = httpConfiguration({
    url: route ?? `https://${name}:${port}`,
    trust: trustedAs(eim),
    sessions,
    ...(route !== undefined && { serverName: name }),
  });
  const { host } = http;
  if (bearer) http.openStream = () => bearer.open({ host, port: http.port });
  const binding = https.binding === 'json' ? new JsonBinding() : new Asn1Binding();
  return new HttpsLink({ eimId: eim.eimId, http, binding, ...rest });
}
