import {
  type HalEvent,
  type KeyValue,
  type Observer,
  type Platform,
  type SerialConfiguration,
  type Time,
  type Timer,
  XsIpaError,
} from '../hal/contracts/index.js';
import { AtModem } from '../hal/modem/index.js';
import { protocolsOf } from '../ipa/esipa/index.js';
import type { IpaEvent } from '../ipa/events.js';
import { Ipad, type IpadOptions } from '../ipa/ipad.js';
import type { DeviceLinks } from './links.js';
import type { Provisioning } from './provisioning.js';

export interface DeviceOptions {
  provisioning: Provisioning;
  serial: SerialConfiguration;
  links: DeviceLinks;
  storage: KeyValue;
  timer: Timer;
  time: Time;
  random: () => number;
  /** The way to an SM-DP+; without it downloads go through the eIM. */
  connectSmdp?: IpadOptions['connectSmdp'];
  sha256?: Platform['sha256'];
  observe?: Observer<IpaEvent | HalEvent>;
}

/** The IPA of a device, put together from its settings. @throws {XsIpaError} `usage` when something is missing in them */
export function createDevice(options: DeviceOptions): Ipad {
  const { provisioning, links, timer, time, random, storage, observe } = options;
  const access = provisioning.text('access');
  if (access !== 'auto' && access !== 'csim' && access !== 'cgla') {
    throw new XsIpaError('usage', 'access is auto, csim or cgla');
  }
  const modem = new AtModem({
    serial: options.serial,
    timer,
    time,
    access,
    quirks: provisioning.optional('model'),
    maxResponse: provisioning.number('maxResponse'),
    observe,
  });
  return new Ipad({
    modem,
    platform: { timer, time, random, storage, sha256: options.sha256 },
    connectSmdp: options.connectSmdp,
    initialEim: provisioning.bytes('eim'),
    blockSize: provisioning.number('blockSize'),
    // eIM and broker are reached over Wi-Fi or a wire: the SDK has no data connection over a modem.
    settings: {
      pollInterval: provisioning.number('poll') * 1_000,
      networkThroughModem: false,
      supportedProtocols: protocolsOf(links.kinds),
      applyConnectivityParameters: provisioning.flag('profileApn'),
      confirmationCode: provisioning.text('confirm'),
    },
    observe,
    createLink: (eim, eid) => links.create(eim, eid),
  });
}
