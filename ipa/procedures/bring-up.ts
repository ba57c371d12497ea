import { UiccError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError } from '../error.js';
import {
  addInitialEim,
  type EimConfiguration,
  type EuiccKind,
  getEid,
  getEimConfigurationData,
  getEuiccInfo2,
  readCapabilities,
} from '../es10/index.js';
import { needsTls } from '../esipa/index.js';
import { equal } from '../tlv/index.js';
import type { IpaContext } from './context.js';

/** 6985: this terminal has not said that it has an IPA, and the eUICC waits for that. */
const CONDITIONS_NOT_SATISFIED = 0x6985;

/** Modem and eUICC from nothing to "EID and capabilities are known" (procedures.md §1, steps 1–3). */
export async function bringUp(context: IpaContext): Promise<void> {
  const { modem } = context;
  context.enter('starting');
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  context.imei = (await modem.start()).imei;
  await reachCard(context);
  const eid = await readEid(context);
  // An eUICC stays what it is: one misread answer must not end its management.
  const wasIot = context.kind === 'iot' && equal(context.eid, eid);
  context.eid = eid;
  context.observe?.({ event: 'eid', eid });
  await readInfo(context);
  // Nor must it begin without: a consumer eUICC says so twice.
  if (!context.capabilities.iot && context.template !== 'iot') await readInfo(context);
  if (context.capabilities.ipaeActive) {
    // TERMINAL CAPABILITY has said that an IPAd is here; a reset makes the eUICC act on it (es10.md §1.8).
    await modem.resetSim();
    await context.waitSimReady();
    await context.openIsdR();
    await readInfo(context);
    if (context.capabilities.ipaeActive)
      throw new IpaError('notIotEuicc', 'the IPA inside the eUICC stays active; disable it');
  }
  if (wasIot || context.template === 'iot') context.capabilities.iot = true;
  if (context.capabilities.iot) tellKind(context, 'iot', 'an IoT eUICC of SGP.32');
  else {
    const detail = 'a consumer eUICC of SGP.22: no eIM manages it, profiles are changed by this device alone';
    tellKind(context, 'consumer', detail);
  }
}

function tellKind(context: IpaContext, kind: EuiccKind, detail: string): void {
  if (context.kind === kind) return;
  context.kind = kind;
  context.observe?.({ event: 'euicc', kind, detail });
}

/** An eUICC without an enabled profile is no usable card to some modems, and reached all the same. */
async function reachCard(context: IpaContext): Promise<void> {
  const ready = await context.waitSimReady();
  try {
    await context.openIsdR(ready ? undefined : 1);
  } catch (error) {
    // A card that is there and says that it has no such application.
    if (ready && error instanceof UiccError && error.code === 'noApplication')
      tellKind(context, 'none', 'no eUICC: it has no ISD-R');
    if (ready || !(error instanceof UiccError) || error.code === 'closed') throw error;
    throw new IpaError(
      'notIotEuicc',
      `the modem reports no usable card (${error.message}); check that the eUICC is inserted and needs no PIN`,
    );
  }
}

/** A misread EID would lead to topics where nobody answers; without good check digits it is read twice. */
async function readEid(context: IpaContext): Promise<Uint8Array> {
  const eid = await firstAnswer(context);
  if (!hasGoodCheckDigits(eid) && !equal(eid, await getEid(context.es10)))
    throw new IpaError('unexpectedAnswer', 'the EID was read twice and differs; check the line to the modem');
  return eid;
}

/**
 * GetEID, which every eUICC of SGP.22 and SGP.32 answers. An ISD-R of SGP.02 can be selected, too, but talks to its SM-SR alone,
 * and its answer to SELECT has neither template.
 */
async function firstAnswer(context: IpaContext): Promise<Uint8Array> {
  try {
    return await getEid(context.es10);
  } catch (error) {
    const isForeign = error instanceof Es10Error && error.sw !== CONDITIONS_NOT_SATISFIED;
    if (!isForeign || context.template !== undefined) throw error;
    const detail = `an M2M eUICC of SGP.02, which only its SM-SR manages (${error.message})`;
    tellKind(context, 'm2m', detail);
    throw new IpaError('notIotEuicc', `the card is ${detail}`);
  }
}

/** The EID as a number of 32 digits leaves 1 when divided by 97: its last two are check digits. */
function hasGoodCheckDigits(eid: Uint8Array): boolean {
  let rest = 0;
  for (let i = 0; i < eid.length; i++) {
    if (eid[i] >> 4 > 9 || (eid[i] & 15) > 9) return false;
    rest = (rest * 100 + (eid[i] >> 4) * 10 + (eid[i] & 15)) % 97;
  }
  return rest === 1;
}

async function readInfo(context: IpaContext): Promise<void> {
  context.capabilities = readCapabilities(await getEuiccInfo2(context.es10));
}

/**
 * Associated eIMs; if there is none, associates the one that is provided (procedures.md §1, steps 4 and 5).
 * @param initialEim EimConfigurationData, `30 …`
 * @returns empty when there is none and none is provided
 */
export async function associate(
  context: IpaContext,
  initialEim: Uint8Array | undefined,
): Promise<EimConfiguration[]> {
  const { es10, settings } = context;
  const withTls = needsTls(settings.supportedProtocols);
  let eims = await getEimConfigurationData(es10, withTls);
  if (eims.length === 0 && initialEim) {
    await addInitialEim(es10, initialEim);
    eims = await getEimConfigurationData(es10, withTls);
  }
  context.observe?.({ event: 'associated', eimIds: eims.map((eim) => eim.eimId) });
  return eims;
}
