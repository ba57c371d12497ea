import { TCP, Timer, UDP } from 'host';
import type { HttpConfiguration, Observer } from '../../../hal/contracts/index.js';
import { XsHttpClient } from '../../../hal/xs/http-client.js';
import { XsMqttClient } from '../../../hal/xs/mqtt-client.js';
import { type DeviceConfig, type DeviceWay, TrustKind } from '../../../host-sim/xs/wire.js';
import type { EimConfiguration } from '../../../ipa/es10/index.js';
import { CoapLink } from '../../../ipa/esipa/coap/index.js';
import { Asn1Binding, HttpsLink } from '../../../ipa/esipa/https/index.js';
import { JsonBinding } from '../../../ipa/esipa/https/json.js';
import {
  addressOf,
  chooseLink,
  defaultTimes,
  type EsipaLink,
  type LinkKind,
  protocolsOf,
} from '../../../ipa/esipa/index.js';
import { MqttLink } from '../../../ipa/esipa/mqtt/link.js';
import type { IpaEvent } from '../../../ipa/events.js';
import type { Hello } from './hello.js';
import { SecureTcp, SecureUdp } from './secure.js';

interface LinkOptions {
  way: DeviceWay;
  eim: EimConfiguration;
  /** 16 bytes. */
  eid: Uint8Array;
  random: () => number;
  observe: Observer<IpaEvent> | undefined;
}

/** IpaSettings.supportedProtocols of a device with these ways. */
export function protocolsOfWays(ways: Readonly<Record<string, DeviceWay>>): number {
  return protocolsOf(Object.values(ways).map(linkKind));
}

/** The link to an eIM; undefined where its configuration does not allow the way that there is. */
export function makeLink({ way, eim, eid, random, observe }: LinkOptions): EsipaLink | undefined {
  if (!chooseLink(eim, [linkKind(way)])) return undefined;
  // Links keep their options: what is undefined would cost memory, too.
  const common = { eimId: eim.eimId, timer: Timer, random, times: defaultTimes(), observe };
  const { address: host, port } = way;
  if (way.kind === 'coap') {
    const udp = way.secure ? { io: SecureUdp, hello: helloTo(eim), relay: way } : { io: UDP };
    return new CoapLink({ ...common, udp, host, port });
  }
  const isSecure = way.kind !== 'mqtt' && way.secure;
  const socket = isSecure ? { io: SecureTcp, hello: helloTo(eim) } : { io: TCP };
  const server = { host, port, socket, timer: Timer };
  if (way.kind === 'mqtt') {
    const { user, password, prefix } = way;
    return new MqttLink({
      ...common,
      eid,
      mqtt: { io: XsMqttClient, ...server, ...(user !== undefined && { user, password }) },
      ...(prefix !== undefined && {
        clientId: `{eid}-${prefix}`,
        topics: { toEim: `${prefix}/{eid}/eim`, toIpa: `${prefix}/{eid}/ipa` },
      }),
    });
  }
  const binding = way.kind === 'https' ? new Asn1Binding() : new JsonBinding();
  return new HttpsLink({ ...common, http: { io: XsHttpClient, ...server }, binding });
}

/** The way to an SM-DP+ of this name. */
export function httpTo(
  name: string,
  { address: host, port, roots }: NonNullable<DeviceConfig['smdp']>,
): HttpConfiguration & { host: string; port: number } {
  const hello = roots && { name, kind: TrustKind.roots, trusted: roots };
  const socket = hello ? { io: SecureTcp, hello } : { io: TCP };
  return { io: XsHttpClient, host, port, timer: Timer, socket };
}

/** Whom its configuration says to trust as this eIM. */
function helloTo({ eimFqdn = '', trustedTls }: EimConfiguration): Hello {
  const kind = trustedTls ? TrustKind[trustedTls.kind] : TrustKind.system;
  return { name: addressOf(eimFqdn).host, kind, trusted: trustedTls ? [trustedTls.der] : [] };
}

function linkKind({ kind }: DeviceWay): LinkKind {
  if (kind === 'mqtt') return 'mqtt';
  return kind === 'coap' ? 'coaps' : 'https';
}
