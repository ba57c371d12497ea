import { lookup } from 'node:dns';
import type { Observer, Resolver, UdpConfiguration } from '../../hal/contracts/index.js';
import { type DtlsPsk, dtlsUdp } from '../../hal/node/dtls/index.js';
import { NodeUdp } from '../../hal/node/udp.js';
import type { EimConfiguration } from '../../ipa/es10/eim-configuration.js';
import { CoapLink } from '../../ipa/esipa/coap/index.js';
import { addressOf, type LinkTimes } from '../../ipa/esipa/index.js';
import type { IpaEvent } from '../../ipa/events.js';
import type { Clock } from '../clock.js';
import type { Bearer } from '../modem/bearer.js';
import { preSharedKey } from './eim-coap.js';
import { trustedAs } from './eim-trust.js';
import { serverRoute, type Transport, UsageError } from './operands.js';

export interface CoapOptions {
  /** Where an eIM really is, by its eimFqdn in small letters: coap://host:port or coaps://host:port. */
  routes?: Readonly<Record<string, string>>;
  /** Everything goes over DTLS. */
  isSecure?: boolean;
  /** For DTLS; without it the eIM's configuration says whom to trust. */
  psk?: DtlsPsk;
}

/** What a device's options say of it. @throws UsageError */
export function coapOptions(
  transport: readonly Transport[],
  routes: readonly string[],
  psk: string | undefined,
): CoapOptions {
  const isSecure = transport.includes('coaps');
  if (psk !== undefined && !isSecure) throw new UsageError('--psk belongs to --transport coaps');
  const scheme = isSecure ? 'coaps' : 'coap';
  if (routes.length > 0 && !transport.includes(scheme))
    throw new UsageError(`--route ${routes[0]} belongs to --transport coap or coaps`);
  const [identity, key] = psk === undefined ? [] : preSharedKey(psk);
  return {
    isSecure,
    routes: Object.fromEntries(routes.map((one) => serverRoute(one, scheme, scheme))),
    ...(identity !== undefined && key && { psk: { identity, key } }),
  };
}

interface CoapWorld {
  coap?: CoapOptions;
  /** The modem's data connection; this computer's network where not given. */
  bearer?: Bearer;
  timer: Clock;
  random: () => number;
  times?: LinkTimes;
  observe?: Observer<IpaEvent>;
}

/** CoAP, or CoAP over DTLS, to an eIM at its eimFqdn. @throws XsIpaError 'badTrust' */
export function coapLink(eim: EimConfiguration, { coap = {}, bearer, ...rest }: CoapWorld): CoapLink {
  const { host: name, port: own } = addressOf(eim.eimFqdn ?? '');
  const { isSecure, psk, routes } = coap;
  const route = routes?.[name.toLowerCase()];
  const port = isSecure ? 5_684 : 5_683;
  const { hostname, port: routed } = route === undefined ? { hostname: name, port: '' } : new URL(route);
  const plain: UdpConfiguration = bearer?.datagrams() ?? { io: NodeUdp };
  const { timer } = rest;
  const peer = psk ?? { trust: trustedAs(eim), name };
  return new CoapLink({
    eimId: eim.eimId,
    udp: isSecure ? dtlsUdp({ udp: plain, peer, timer, now: () => timer.now }) : plain,
    host: hostname,
    port: routed === '' ? (own ?? port) : Number(routed),
    dns: { io: NodeResolver },
    ...rest,
  });
}

/** Asks this computer; IPv4, as the socket is. */
class NodeResolver implements Resolver {
  #closed = false;

  resolve({ host, onResolved, onError }: Parameters<Resolver['resolve']>[0]): void {
    lookup(host, 4, (error, address) => {
      if (this.#closed) return;
      if (error) onError?.(error);
      else onResolved?.(host, address);
    });
  }

  close(): void {
    this.#closed = true;
  }
}
