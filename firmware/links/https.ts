import { type TcpConfiguration, XsIpaError } from '../../hal/contracts/index.js';
import type { EimConfiguration } from '../../ipa/es10/index.js';
import { Asn1Binding } from '../../ipa/esipa/https/asn1.js';
import { HttpsLink } from '../../ipa/esipa/https/link.js';
import { addressOf } from '../../ipa/esipa/index.js';
import type { LinkMaker, LinkWorld } from '../links.js';
import { type Route, routeTo } from '../routes.js';
import { jsonBinding } from './json.js';

const SCHEMES = ['https', 'http'];

/** ESipa over HTTPS to the eIM's eimFqdn, or where a route says it is. */
export const httpsLink: LinkMaker | undefined = (world, eim) => {
  const { routes, json, http: io, dns, timer, random, observe } = world;
  const { host: name, port: own } = addressOf(eim.eimFqdn ?? '');
  const route = routeTo(routes, name, SCHEMES);
  const usual = route?.scheme === 'http' ? 80 : 443;
  return new HttpsLink({
    eimId: eim.eimId,
    http: {
      io,
      host: route?.host ?? name,
      port: route ? (route.port ?? usual) : (own ?? usual),
      timer,
      dns,
      socket: socketOf(world, eim, name, route),
    },
    binding: json && jsonBinding ? jsonBinding() : new Asn1Binding(),
    timer,
    random,
    observe,
  });
};

function socketOf(
  { tls, tcp, insecure }: LinkWorld,
  { eimId, trustedTls }: EimConfiguration,
  serverName: string,
  route: Route | undefined,
): TcpConfiguration {
  if (route?.scheme === 'http') {
    if (!insecure) throw new XsIpaError('usage', `the route to ${eimId} is for tests: set insecure 1`);
    return tcp;
  }
  if (!tls) throw new XsIpaError('usage', `${eimId} is reached by TLS, which this firmware is built without`);
  return tls({ serverName, trust: trustedTls });
}
