import { type UdpConfiguration, XsIpaError } from '../../hal/contracts/index.js';
import type { EimConfiguration } from '../../ipa/es10/index.js';
import { CoapLink } from '../../ipa/esipa/coap/link.js';
import { addressOf } from '../../ipa/esipa/index.js';
import type { LinkMaker, LinkWorld } from '../links.js';
import { routeTo } from '../routes.js';

/** ESipa over CoAP to the eIM's eimFqdn, or where a route says it is; DTLS where the board has it. */
export const coapLink: LinkMaker | undefined = (world, eim) => {
  const { routes, plainCoap, dns, timer, random, observe } = world;
  const { host: name, port: own } = addressOf(eim.eimFqdn ?? '');
  const route = routeTo(routes, name, [plainCoap ? 'coap' : 'coaps']);
  const usual = plainCoap ? 5_683 : 5_684;
  return new CoapLink({
    eimId: eim.eimId,
    udp: socketOf(world, eim, name),
    host: route?.host ?? name,
    port: route ? (route.port ?? usual) : (own ?? usual),
    dns,
    timer,
    random,
    observe,
  });
};

function socketOf(
  { plainCoap, udp, secureUdp }: LinkWorld,
  { eimId, trustedTls }: EimConfiguration,
  serverName: string,
): UdpConfiguration {
  if (plainCoap) return udp;
  if (!secureUdp) throw new XsIpaError('usage', `${eimId} is reached by DTLS, which this board has not`);
  return secureUdp({ serverName, trust: trustedTls });
}
