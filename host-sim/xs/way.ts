import type { DtlsPsk } from '../../hal/node/dtls/index.js';
import { TlsSessionCache } from '../../hal/node/tls-sessions.js';
import type { Bearer, StreamTarget } from '../modem/bearer.js';
import { datagramRelay } from './datagrams.js';
import { type Relay, relay, type Security } from './relay.js';
import type { DeviceWay } from './wire.js';

/** Where an eIM is, and how a device is to speak to it. */
export type XsWay =
  | {
      kind: 'mqtt';
      /** The broker; TLS as `tls` says. */
      target: StreamTarget;
      user?: string;
      password?: string;
      /** Of the topics, and behind the EID in the client id; `esipa`, and the EID alone, when absent. */
      prefix?: string;
    }
  | {
      /** `https-json` with the JSON binding. */
      kind: 'https' | 'https-json';
      host: string;
      port: number;
      /** TLS, trusting what the eIM's configuration on the eUICC says; the name is its eimFqdn. */
      secure?: boolean;
    }
  | {
      kind: 'coap';
      /** Numeric address. */
      host: string;
      port: number;
      /** DTLS, trusting what the eIM's configuration on the eUICC says. */
      secure?: boolean;
      /** DTLS with this key instead. */
      psk?: DtlsPsk;
    };

/** Opens the simulator's side of a way: what the device reaches leads to the eIM through the modem. */
export async function openWay(
  bearer: Bearer,
  way: XsWay,
  onRefused?: Security['onRefused'],
): Promise<{ way: DeviceWay; relay: Relay }> {
  const address = '127.0.0.1';
  if (way.kind === 'mqtt') {
    const { kind, target, ...rest } = way;
    const open = await relay(bearer, target);
    return { way: { kind, address, port: open.port, ...rest }, relay: open };
  }
  const { kind, host, port } = way;
  const target = { host, port };
  const psk = way.kind === 'coap' ? way.psk : undefined;
  const secure = way.secure === true || psk !== undefined;
  const open =
    kind === 'coap'
      ? await datagramRelay(bearer, target, secure ? { psk, onRefused } : undefined)
      : await relay(bearer, target, secure ? { sessions: new TlsSessionCache(), onRefused } : undefined);
  return { way: { kind, address, port: open.port, secure }, relay: open };
}
