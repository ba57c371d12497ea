import { existsSync } from 'node:fs';
import { XsIpaError } from '../../hal/contracts/index.js';
import { Asn1Error, hex, NotificationEventNames, PprNames } from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { CardKind, ProfileSeed } from '../euicc/index.js';
import { saveState } from '../euicc/state.js';
import { personalityByName } from '../modem/index.js';
import type { Trace } from '../trace/index.js';
import type { StateFolder } from './folder.js';
import { readJson, UsageError } from './operands.js';
import type { Output } from './output.js';
import { simulateModem } from './world.js';

/** File of the virtual eUICC in the state folder. */
export const cardFile = 'card.cbor';

interface SimulationOptions {
  clock: Clock;
  trace: Trace;
  pkiDir?: string;
  personality?: string;
  baud?: number;
  eid?: string;
  es10c?: boolean;
  kind?: CardKind;
  /** JSON file with what a new eUICC has from the factory. */
  profiles?: string;
}

/** A virtual eUICC that lives in a folder, in a simulated modem. @throws XsIpaError for what the user has to change */
export async function simulateCard(folder: StateFolder, output: Output, options: SimulationOptions) {
  const { clock, trace, personality = 'generic', baud, es10c, kind, eid, profiles } = options;
  // First what costs nothing and can be wrong.
  personalityByName(personality);
  const seeds = profiles === undefined ? undefined : readProfiles(profiles);
  if (seeds && existsSync(folder.file(cardFile))) {
    output.note(`the eUICC in ${folder.path} exists: --profiles is for a new one and is not looked at`);
  }
  const pki = await folder.pki(output, options.pkiDir, { eid });
  return folder.open(cardFile, (store) => {
    try {
      const world = simulateModem({
        pki,
        store,
        clock,
        random: Math.random,
        trace,
        personality,
        baud,
        es10c,
        kind,
        profiles: seeds,
      });
      // A new card is there from now on, with the profiles it was made with.
      if (!store.load()) store.save(saveState(world.euicc.state));
      return { ...world, eid: hex(pki.euicc.eid) };
    } catch (error) {
      const wrong = error instanceof Asn1Error || (error instanceof XsIpaError && error.code === 'cardSeed');
      if (!seeds || !wrong) throw error;
      throw new UsageError(`the profiles in ${profiles} cannot be used: ${error.message}`, { cause: error });
    }
  });
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isBoolean: Check = (value) => typeof value === 'boolean';
const among =
  (names: readonly string[]): Check =>
  (value) =>
    names.includes(value as string);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

/** What an entry of the list may have, and what that has to be. */
function seedChecks(): Record<string, [check: Check, what: string]> {
  const flag: [Check, string] = [isBoolean, 'true or false'];
  const name: [Check, string] = [isText, 'a text'];
  return {
    iccid: [(value) => /^\d{18,20}$/.test(String(value)) && isText(value), 'a text of 18 to 20 digits'],
    imsi: [(value) => /^\d{6,15}$/.test(String(value)) && isText(value), 'a text of 6 to 15 digits'],
    enabled: flag,
    profileClass: [among(profileClasses), `one of ${profileClasses.join(', ')}`],
    serviceProviderName: name,
    profileName: name,
    profileNickname: name,
    notifications: [
      listOf((entry) => {
        const { events, address } = (entry ?? {}) as { events?: unknown; address?: unknown };
        return listOf(among(NotificationEventNames))(events) && isText(address);
      }),
      `a list of {"events": [${NotificationEventNames.join(', ')}], "address": text}`,
    ],
    profilePolicyRules: [listOf(among(PprNames)), `a list of ${PprNames.join(', ')}`],
    mccMnc: [(value) => /^[0-9A-Fa-f]{6}$/.test(String(value)), '6 hex digits'],
    fallbackAttribute: flag,
    fallbackAllowed: flag,
    ecallIndication: flag,
    preLoaded: flag,
  };
}

const profileClasses = ['test', 'provisioning', 'operational'];

function readProfiles(path: string): ProfileSeed[] {
  const wrong = (why: string) => new UsageError(`the profiles in ${path} cannot be used: ${why}`);
  const value = readJson(path, 'the list of profiles');
  if (!Array.isArray(value)) throw wrong('the file has to hold a list [ … ]');
  const checks = seedChecks();
  return value.map((entry: unknown, index) => {
    if (typeof entry !== 'object' || entry === null) throw wrong(`entry ${index + 1} is not an object`);
    const fields = { iccid: undefined, imsi: undefined, ...entry } as Record<string, unknown>;
    for (const [name, field] of Object.entries(fields)) {
      if (!Object.hasOwn(checks, name)) throw wrong(`entry ${index + 1} has an unknown "${name}"`);
      const [check, what] = checks[name];
      if (!check(field)) throw wrong(`"${name}" of entry ${index + 1} has to be ${what}`);
    }
    const { mccMnc, ...rest } = fields;
    const plmn = mccMnc === undefined ? {} : { mccMnc: Uint8Array.from(Buffer.from(String(mccMnc), 'hex')) };
    return { ...rest, ...plmn } as unknown as ProfileSeed;
  });
}
