import { existsSync } from 'node:fs';
import { XsIpaError } from '../../hal/contracts/index.js';
import { Asn1Error, hex } from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { ProfileSeed } from '../euicc/index.js';
import { personalityByName } from '../modem/index.js';
import type { Trace } from '../trace/index.js';
import type { StateFolder } from './folder.js';
import { readJson, UsageError } from './operands.js';
import type { Output } from './output.js';
import { simulateModem } from './world.js';

/** File of the virtual eUICC in the state folder. */
export const cardFile = 'card.cbor';

export interface SimulationOptions {
  clock: Clock;
  trace: Trace;
  pkiDir?: string;
  personality?: string;
  baud?: number;
  eid?: string;
  es10c?: boolean;
  /** JSON file with what a new eUICC has from the factory. */
  profiles?: string;
}

/** A virtual eUICC that lives in a folder, in a simulated modem. @throws XsIpaError for what the user has to change */
export async function simulateCard(folder: StateFolder, output: Output, options: SimulationOptions) {
  const { clock, trace, personality = 'generic', baud, es10c, eid, profiles } = options;
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
        profiles: seeds,
      });
      return { ...world, eid: hex(pki.euicc.eid) };
    } catch (error) {
      const wrong = error instanceof Asn1Error || (error instanceof XsIpaError && error.code === 'cardSeed');
      if (!seeds || !wrong) throw error;
      throw new UsageError(`the profiles in ${profiles} cannot be used: ${error.message}`, { cause: error });
    }
  });
}

const classes = ['test', 'provisioning', 'operational'];

function readProfiles(path: string): ProfileSeed[] {
  const wrong = (why: string) => new UsageError(`the profiles in ${path} cannot be used: ${why}`);
  const value = readJson(path, 'the list of profiles');
  if (!Array.isArray(value)) throw wrong('the file has to hold a list [ … ]');
  return value.map((entry: unknown, index) => {
    if (typeof entry !== 'object' || entry === null) throw wrong(`entry ${index + 1} is not an object`);
    const { iccid, imsi, mccMnc, profileClass, ...rest } = entry as Record<string, unknown>;
    if (typeof iccid !== 'string' || typeof imsi !== 'string') {
      throw wrong(`entry ${index + 1} needs "iccid" and "imsi", digits as text`);
    }
    if (profileClass !== undefined && !classes.includes(profileClass as string)) {
      throw wrong(`"profileClass" of entry ${index + 1} is one of ${classes.join(', ')}`);
    }
    if (mccMnc !== undefined && !/^[0-9A-Fa-f]{6}$/.test(String(mccMnc))) {
      throw wrong(`"mccMnc" of entry ${index + 1} is 6 hex digits`);
    }
    const plmn = mccMnc === undefined ? {} : { mccMnc: Uint8Array.from(Buffer.from(String(mccMnc), 'hex')) };
    return {
      ...rest,
      ...plmn,
      iccid,
      imsi,
      ...(profileClass !== undefined && { profileClass }),
    } as ProfileSeed;
  });
}
