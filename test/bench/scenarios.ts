import { factoryProfiles } from '../../host-sim/cli/world.js';
import type { Order } from '../../host-sim/eim/index.js';
import type { ProfileSeed } from '../../host-sim/euicc/state.js';
import { TRANSPORTS, type Transport } from '../xs/eim.js';

/** What a scenario is made of; measure.ts has it. */
export interface Actions {
  /** That many polls, one after the other, each until the IPA has nothing left to do. */
  poll(count?: number): Promise<void>;
  /** Queues the orders, polls once, and waits until every result is verified, acknowledged and off the eUICC. */
  orders(...orders: Order[]): Promise<void>;
  /** A profile of that many bytes from the SM-DP+, until it is installed and everybody knows. */
  download(bytes: number): Promise<void>;
  /** Nothing at all. */
  rest(milliseconds: number): Promise<void>;
}

export interface Scenario {
  /** As in `{"scenario":…}`. */
  name: string;
  /** For the report, in a few words. */
  title: string;
  /** Of the card; those of the demo when absent. */
  profiles?: () => ProfileSeed[];
  /** Of the serial line; BOARD's when absent. */
  baud?: number;
  /** The device reaches the SM-DP+ itself. */
  direct?: boolean;
  /** Bytes of the profile that is downloaded. */
  profileBytes?: number;
  /** Begins and ends idle, on a device that is associated and has a standing session with its eIM. */
  run(actions: Actions): Promise<void>;
  /** Most commands for the card. */
  mostApdus?: number;
  /** Between device and eIM. MQTT when absent. */
  transport?: Transport;
}

/** @param polls of the scenario with many of them */
export function scenarios(polls: number): Scenario[] {
  const all = overMqtt(polls);
  const others = TRANSPORTS.filter((transport) => transport !== 'mqtt').flatMap((transport) =>
    all
      .filter(({ name }) => COMPARED.includes(name))
      .map((scenario) => ({
        ...scenario,
        name: `${scenario.name}-${transport}`,
        title: `${scenario.title}, ${transportTitle(transport)}`,
        transport,
      })),
  );
  return [...all, ...others];
}

/** Scenarios that are measured over every transport; the names of those over MQTT. */
export const COMPARED: readonly string[] = [
  'idle',
  'empty-poll',
  'enable-report',
  'five-packages',
  'download-indirect-12k',
];

const TITLES: Readonly<Record<Transport, string>> = {
  mqtt: 'MQTT',
  coap: 'CoAP',
  coaps: 'CoAP over DTLS',
  https: 'HTTPS',
  'https-json': 'HTTPS with JSON',
};

/** For people. */
export function transportTitle(transport: Transport): string {
  return TITLES[transport];
}

function overMqtt(polls: number): Scenario[] {
  const [, beta, gamma] = factoryProfiles();
  return [
    { name: 'idle', title: 'between two polls', mostApdus: 0, run: ({ rest }) => rest(200) },
    { name: 'empty-poll', title: 'a poll that finds nothing', mostApdus: 0, run: ({ poll }) => poll() },
    {
      name: 'enable-report',
      title: 'enable, REFRESH, signed result and notifications delivered',
      mostApdus: 10,
      run: ({ orders }) => orders({ psmo: [{ op: 'enable', iccid: beta.iccid }] }),
    },
    {
      name: 'five-packages',
      title: 'five packages in one poll',
      run: ({ orders }) =>
        orders(
          { psmo: [{ op: 'listProfileInfo' }] },
          { psmo: [{ op: 'getRAT' }] },
          { psmo: [{ op: 'setFallbackAttribute', iccid: gamma.iccid }] },
          { psmo: [{ op: 'setDefaultDpAddress', address: 'smdp.example.com' }] },
          { eco: [{ op: 'listEim' }] },
        ),
    },
    {
      name: 'profile-list-8',
      title: 'list of eight profiles',
      profiles: () => eightProfiles(),
      run: ({ orders }) => orders({ psmo: [{ op: 'listProfileInfo' }] }),
    },
    {
      name: 'data-request',
      title: 'EuiccInfo1, addresses, capabilities',
      run: ({ orders }) =>
        orders({
          data: {
            tags: ['euiccInfo1', 'defaultSmdpAddress', 'rootSmdsAddress', 'ipaCapabilities', 'deviceInfo'],
          },
        }),
    },
    ...downloads(true),
    ...downloads(false),
    {
      name: `polls-${polls}`,
      title: `${polls} empty polls in a row`,
      mostApdus: 0,
      run: ({ poll }) => poll(polls),
    },
  ];
}

/** As fast as the line can be without waiting for it: at 115200 baud the largest profile takes two minutes. */
const DOWNLOAD_BAUD = 3_000_000;

function downloads(direct: boolean): Scenario[] {
  return [12, 100, 500].map((kilobytes) => ({
    name: `download-${direct ? 'direct' : 'indirect'}-${kilobytes}k`,
    title: `a profile of ${kilobytes},000 bytes ${direct ? 'from the SM-DP+' : 'through the eIM'}`,
    baud: DOWNLOAD_BAUD,
    direct,
    profileBytes: 1_000 * kilobytes,
    run: ({ download }) => download(1_000 * kilobytes),
  }));
}

function eightProfiles(): ProfileSeed[] {
  const profiles = factoryProfiles();
  for (let i = profiles.length; i < 8; i++) {
    profiles.push({
      ...profiles[1],
      iccid: `8988200000000000${i}${i}${i}${i}`,
      imsi: `99970000000001${i}`,
      profileName: `Beta Cellular IoT ${i}`,
    });
  }
  return profiles;
}
