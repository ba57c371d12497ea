import {
  type HalEvent,
  type HttpClientConstructor,
  type MqttClientConstructor,
  type Observer,
  type ResolverConfiguration,
  type SecureTcp,
  type SecureUdp,
  type TcpConfiguration,
  type Timer,
  type UdpConfiguration,
  XsIpaError,
} from '../hal/contracts/index.js';
import type { EimConfiguration } from '../ipa/es10/index.js';
import { chooseLink, type EsipaLink, type LinkKind } from '../ipa/esipa/index.js';
import type { IpaEvent } from '../ipa/events.js';
import { coapLink } from './links/coap.js';
import { httpsLink } from './links/https.js';
import { jsonBinding } from './links/json.js';
import { mqttLink } from './links/mqtt.js';
import type { Provisioning } from './provisioning.js';
import { type LinkName, linkNames, type Route, readRoutes } from './routes.js';

/** What the board and its manifest give for links. */
export interface LinkParts {
  timer: Timer;
  /** For jitter. */
  random: () => number;
  dns: ResolverConfiguration;
  tcp: TcpConfiguration;
  udp: UdpConfiguration;
  mqtt: MqttClientConstructor;
  http: HttpClientConstructor;
  /** Without it there is neither HTTPS nor MQTT over TLS. */
  tls?: SecureTcp;
  /** DTLS of a modem or of the board; without it there is no CoAP but for tests. */
  secureUdp?: SecureUdp;
  observe?: Observer<IpaEvent | HalEvent>;
}

/** What a link is made of. */
export interface LinkWorld extends LinkParts {
  provisioning: Provisioning;
  routes: readonly Route[];
  /** Tests only: routes may be http:// and CoAP may be plain. */
  insecure: boolean;
  /** CoAP goes without DTLS. */
  plainCoap: boolean;
  /** HTTPS speaks JSON. */
  json: boolean;
}

/** A link as `firmware/links` has it; undefined in a build that leaves it out. */
export type LinkMaker = (world: LinkWorld, eim: EimConfiguration, eid: Uint8Array) => EsipaLink;

const NO_TLS = 'this firmware is built without TLS: include firmware/manifest_tls.json';
const LEFT_OUT = 'this firmware is built without it';

/** Which links this device has: what its settings name, as far as it was built with it. */
export class DeviceLinks {
  /** Best first. */
  readonly kinds: LinkKind[] = [];
  /** Links that the settings name and the device has not, with the reason. */
  readonly missing: string[] = [];
  readonly #world: LinkWorld;

  /** @throws {XsIpaError} `usage` when no link is left */
  constructor(provisioning: Provisioning, parts: LinkParts) {
    const routes = readRoutes(provisioning.text('route'));
    const insecure = provisioning.flag('insecure');
    this.#world = { ...parts, provisioning, routes, insecure, plainCoap: false, json: false };
    for (const name of linkNames(provisioning.text('links'))) {
      const kind = kindOf(name);
      // coap and coaps are one link, https and https-json another: the better one counts.
      if (this.kinds.includes(kind)) continue;
      const reason = this.lacks(name);
      if (reason === undefined) {
        this.kinds.push(kind);
        if (name === 'https-json') this.#world.json = true;
        if (name === 'coap') this.#world.plainCoap = true;
      } else this.missing.push(`no ${name}: ${reason}`);
    }
    if (this.kinds.length === 0) throw new XsIpaError('usage', this.missing.join('; '));
  }

  /**
   * The link to an eIM; undefined when it supports none that this device has.
   * @throws {XsIpaError} when the eIM cannot be reached in safety
   */
  create(eim: EimConfiguration, eid: Uint8Array): EsipaLink | undefined {
    const kind = chooseLink(eim, this.kinds);
    const make = kind === 'mqtt' ? mqttLink : kind === 'https' ? httpsLink : kind ? coapLink : undefined;
    return make?.(this.#world, eim, eid);
  }

  /** Why the device has not this link. */
  private lacks(name: LinkName): string | undefined {
    const { provisioning, insecure, tls, secureUdp } = this.#world;
    switch (name) {
      case 'mqtt':
        if (!mqttLink) return LEFT_OUT;
        if (provisioning.text('host') === '') return 'no broker is set: set host <name or address>';
        return provisioning.flag('tls') && !tls ? NO_TLS : undefined;
      case 'https':
      case 'https-json':
        if (!httpsLink || (name === 'https-json' && !jsonBinding)) return LEFT_OUT;
        return tls || insecure ? undefined : NO_TLS;
      case 'coaps':
        if (!coapLink) return LEFT_OUT;
        return secureUdp ? undefined : 'this board has no DTLS';
      case 'coap':
        if (!coapLink) return LEFT_OUT;
        return insecure ? undefined : 'CoAP without DTLS is for tests: set insecure 1';
    }
  }
}

function kindOf(name: LinkName): LinkKind {
  if (name === 'mqtt') return 'mqtt';
  return name === 'coap' || name === 'coaps' ? 'coaps' : 'https';
}
