import { factoryProfiles } from '../../host-sim/cli/world.js';
import type { Order } from '../../host-sim/eim/index.js';
import type { ProfileSeed } from '../../host-sim/euicc/state.js';

/** What a scenario is made of; measure.ts has it. */
export interface Actions {
  /** That many polls, one after the other, each until the IPA has nothing left to do. */
  poll(count?: number): Promise<void>;
  /** Queues the orders, polls once, and waits until every result is verified, acknowledged and off the eUICC. */
  orders(...orders: Order[]): Promise<void>;
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
  /** Begins and ends idle, on a device that is associated and has a standing session with its eIM. */
  run(actions: Actions): Promise<void>;
  /** Most commands for the card. */
  mostApdus?: number;
}

/** @param polls of the scenario with many of them */
export function scenarios(polls: number): Scenario[] {
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
    {
      name: `polls-${polls}`,
      title: `${polls} empty polls in a row`,
      mostApdus: 0,
      run: ({ poll }) => poll(polls),
    },
  ];
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
