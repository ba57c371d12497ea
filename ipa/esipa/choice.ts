import { type EimConfiguration, Protocol, supports } from '../es10/eim-configuration.js';

/** The links of ESipa. MQTT is the proprietary protocol of this project (docs/mqtt-binding.md). */
export type LinkKind = 'https' | 'coaps' | 'mqtt';

/**
 * The link for an eIM: the first of those that the device has which the eIM supports, by eimSupportedProtocol and, where the
 * link leads to the eIM itself, by its eimFqdn (esipa.md §5.3). Injection over HTTPS and CoAP needs a server on the device
 * and is not looked at.
 * @param available what the device has, best first
 * @returns undefined when the device cannot serve this eIM
 */
export function chooseLink(eim: EimConfiguration, available: readonly LinkKind[]): LinkKind | undefined {
  for (let i = 0; i < available.length; i++) {
    const kind = available[i];
    if (!supports(eim, protocolOf(kind))) continue;
    // A broker stands between, and the device knows where.
    if (kind === 'mqtt' || (eim.eimFqdn !== undefined && eim.eimFqdn !== '')) return kind;
  }
  return undefined;
}

/** ipaSupportedProtocols of a device with these links, for IpaSettings.supportedProtocols. */
export function protocolsOf(available: readonly LinkKind[]): number {
  let bits = 0;
  for (let i = 0; i < available.length; i++) bits |= 0x80 >> protocolOf(available[i]);
  return bits;
}

/** Do these ipaSupportedProtocols have one whose TLS or DTLS trusts what the eIM's configuration says? */
export function needsTls(protocols: number): boolean {
  return (protocols & ((0x80 >> Protocol.retrieveHttps) | (0x80 >> Protocol.retrieveCoaps))) !== 0;
}

/** Where an eimFqdn leads: some have a port behind the name. */
export function addressOf(eimFqdn: string): { host: string; port: number | undefined } {
  const colon = eimFqdn.lastIndexOf(':');
  const port = colon > 0 && eimFqdn.indexOf(':') === colon ? Number(eimFqdn.slice(colon + 1)) : 0;
  return port > 0 && port < 0x10000
    ? { host: eimFqdn.slice(0, colon), port }
    : { host: eimFqdn, port: undefined };
}

function protocolOf(kind: LinkKind): number {
  if (kind === 'https') return Protocol.retrieveHttps;
  return kind === 'coaps' ? Protocol.retrieveCoaps : Protocol.proprietary;
}
