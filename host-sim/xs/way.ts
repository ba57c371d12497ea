import type { Bearer, StreamTarget } from '../modem/bearer.js';
import { datagramRelay } from './datagrams.js';
import { type Relay, relay } from './relay.js';
import type { DeviceWay } from './wire.js';

/** Where an eIM is, and how a device is to speak to it. */
export type XsWay =
  | {
      kind: 'mqtt';
      /** The broker. */
      target: StreamTarget;
      user?: string;
      password?: string;
      /** Of the topics, and behind the EID in the client id; `esipa`, and the EID alone, when absent. */
      prefix?: string;
    }
  /** `https-json` with the JSON binding. */
  | { kind: 'https' | 'https-json' | 'coap'; host: string; port: number };

/** Opens the simulator's side of a way: what the device reaches leads to the eIM through the modem. */
export async function openWay(bearer: Bearer, way: XsWay): Promise<{ way: DeviceWay; relay: Relay }> {
  const address = '127.0.0.1';
  if (way.kind === 'mqtt') {
    const { kind, target, ...rest } = way;
    const open = await relay(bearer, target);
    return { way: { kind, address, port: open.port, ...rest }, relay: open };
  }
  const { kind, host, port } = way;
  const target = { host, port };
  const open = kind === 'coap' ? await datagramRelay(target) : await relay(bearer, target);
  return { way: { kind, address, port: open.port, secure: false }, relay: open };
}
