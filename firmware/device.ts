import {
  type HalEvent,
  type KeyValue,
  type MqttConfiguration,
  type Observer,
  type Platform,
  type SerialConfiguration,
  type Time,
  type Timer,
  XsIpaError,
} from '../hal/contracts/index.js';
import { AtModem } from '../hal/modem/index.js';
import { Protocol, supports } from '../ipa/es10/index.js';
import { MqttLink } from '../ipa/esipa/mqtt/link.js';
import type { IpaEvent } from '../ipa/events.js';
import { Ipad, type IpadOptions } from '../ipa/ipad.js';
import type { Provisioning } from './provisioning.js';

export interface DeviceOptions {
  provisioning: Provisioning;
  serial: SerialConfiguration;
  /** Class and sockets; host and credentials come from the settings. */
  mqtt: Omit<MqttConfiguration, 'host'>;
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
  const { provisioning, timer, time, random, storage, observe } = options;
  const host = provisioning.text('host');
  if (host === '') throw new XsIpaError('usage', 'no broker is set: set host <name or address>');
  const access = provisioning.text('access');
  if (access !== 'auto' && access !== 'csim' && access !== 'cgla') {
    throw new XsIpaError('usage', 'access is auto, csim or cgla');
  }
  const mqtt: MqttConfiguration = {
    ...options.mqtt,
    io: options.mqtt.io as MqttConfiguration['io'],
    host,
    port: provisioning.number('port'),
    user: provisioning.optional('user'),
    password: provisioning.optional('password'),
    keepAlive: provisioning.number('keepAlive') * 1_000,
  };
  const modem = new AtModem({
    serial: options.serial,
    timer,
    time,
    access,
    quirks: provisioning.optional('model'),
    maxResponse: provisioning.number('maxResponse'),
    observe,
  });
  const prefix = provisioning.text('eimPrefix');
  return new Ipad({
    modem,
    platform: { timer, time, random, storage, sha256: options.sha256 },
    connectSmdp: options.connectSmdp,
    initialEim: provisioning.bytes('eim'),
    blockSize: provisioning.number('blockSize'),
    // The broker is reached over Wi-Fi or a wire: the SDK has no data connection over a modem.
    settings: {
      pollInterval: provisioning.number('poll') * 1_000,
      networkThroughModem: false,
      applyConnectivityParameters: provisioning.flag('profileApn'),
      confirmationCode: provisioning.text('confirm'),
    },
    observe,
    createLink: (eim, eid) => {
      if (!supports(eim, Protocol.proprietary)) return undefined;
      return new MqttLink({
        eimId: eim.eimId,
        eid,
        mqtt,
        timer,
        random,
        topics: { toEim: `${prefix}/{eid}/eim`, toIpa: `${prefix}/{eid}/ipa` },
        observe,
      });
    },
  });
}
