import { mqttConfiguration } from '../../hal/node/mqtt.js';
import type { LinkKind } from '../../ipa/esipa/index.js';
import { UsageError } from './operands.js';

export const demoTransports = ['mqtt', 'mqtts', 'coap', 'coaps', 'https', 'https-json'] as const;
export type DemoTransport = (typeof demoTransports)[number];

/** The link of a device under a transport; of each it has one, in one of its forms. */
export const linkOf = {
  mqtt: 'mqtt',
  mqtts: 'mqtt',
  coap: 'coaps',
  coaps: 'coaps',
  https: 'https',
  'https-json': 'https',
} as const satisfies Record<DemoTransport, LinkKind>;

/**
 * Which transports the options mean: of the first eIM, and of the second one.
 * @throws UsageError for options that do not go together
 */
export function chosenTransports(options: {
  transport?: DemoTransport;
  backupTransport?: DemoTransport;
  broker?: string;
}): [DemoTransport, DemoTransport] {
  const { broker } = options;
  const ofBroker = broker !== undefined && mqttConfiguration({ url: broker }).secure ? 'mqtts' : 'mqtt';
  const first = options.transport ?? ofBroker;
  const second = options.backupTransport ?? first;
  const both: [DemoTransport, DemoTransport] = [first, second];
  if (broker !== undefined) {
    const other = both.find((one) => linkOf[one] === 'mqtt' && one !== ofBroker);
    if (other)
      throw new UsageError(`${broker} is a broker for ${ofBroker}, not for ${other}; leave --transport out`);
    if (!both.includes(ofBroker))
      throw new UsageError(`--broker is for mqtt and mqtts; leave it out with --transport ${first}`);
  }
  if (first !== second && linkOf[first] === linkOf[second])
    throw new UsageError(
      `${first} and ${second} are two forms of one link, of which a device has one; name another --backup-transport`,
    );
  return both;
}
