import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs beyond Node that some tests need, and the Debian packages they come from; .ci/run installs them all. */
export const PACKAGES = {
  'coap-client-gnutls': 'libcoap3-bin',
  'coap-client-notls': 'libcoap3-bin',
  'coap-client-openssl': 'libcoap3-bin',
  'coap-server-gnutls': 'libcoap3-bin',
  'coap-server-openssl': 'libcoap3-bin',
  dumpcap: 'wireshark-common',
  ip: 'iproute2',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  socat: 'socat',
  tshark: 'tshark',
  unshare: 'util-linux',
} as const;

export type Tool = keyof typeof PACKAGES;

/** Debian keeps servers out of a plain user's PATH. */
const BESIDE_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Path of a program, or undefined when it is not installed. */
export function tool(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), ...BESIDE_PATH]) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory.
    }
  }
  return undefined;
}
