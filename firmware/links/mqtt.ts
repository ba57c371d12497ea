import { type TcpConfiguration, XsIpaError } from '../../hal/contracts/index.js';
import { MqttLink } from '../../ipa/esipa/mqtt/link.js';
import type { LinkMaker, LinkWorld } from '../links.js';

/** ESipa over the broker of the settings. */
export const mqttLink: LinkMaker | undefined = (world, eim, eid) => {
  const { provisioning, mqtt: io, dns, timer, random, observe } = world;
  const prefix = provisioning.text('eimPrefix');
  return new MqttLink({
    eimId: eim.eimId,
    eid,
    mqtt: {
      io,
      host: provisioning.text('host'),
      port: provisioning.number('port'),
      user: provisioning.optional('user'),
      password: provisioning.optional('password'),
      keepAlive: provisioning.number('keepAlive') * 1_000,
      timer,
      dns,
      socket: socketOf(world),
    },
    timer,
    random,
    topics: { toEim: `${prefix}/{eid}/eim`, toIpa: `${prefix}/{eid}/ipa` },
    observe,
  });
};

function socketOf({ provisioning, tls, tcp }: LinkWorld): TcpConfiguration {
  if (!provisioning.flag('tls')) return tcp;
  if (!tls) throw new XsIpaError('usage', 'no TLS to the broker');
  return tls({ serverName: provisioning.text('host') });
}
