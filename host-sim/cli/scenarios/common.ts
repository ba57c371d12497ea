import { hex } from '../../asn1/index.js';
import { type Stage, StepFailed } from '../stage.js';

/** The first two steps of every story: the device comes up, and meets its eIM. */
export async function fromTheFactory(stage: Stage): Promise<void> {
  const { eid, ipad, eim } = stage.cast;
  await stage.step(
    'From the factory',
    'The eUICC has three profiles and no eIM. The IPA brings the modem and the eUICC up.',
  );
  if (ipad.state !== 'unassociated') await stage.state('unassociated');

  await stage.step(
    'Association',
    'AddInitialEim: the eUICC takes the eIM and makes an association token. Then the first poll.',
  );
  const associated = stage.idle();
  ipad.associate(stage.configuration(eim, { eid }));
  await associated;
}

/** Downloads through the second eIM are indirect. */
export async function addIndirectEim(stage: Stage): Promise<void> {
  const { eid, backup } = stage.cast;
  await stage.step(
    'A second eIM',
    'addEim by the first one; with indirectProfileDownload, so that what it orders comes through it.',
  );
  const configuration = hex(stage.configuration(backup, { indirectProfileDownload: true }));
  const added = await stage.order({ eco: [{ op: 'addEim', eim: configuration }] });
  backup.setToken(eid, added.outcome === 'verified' ? added.results[0]?.associationToken : undefined);
}

/** A profile that waits at the SM-DP+. */
export interface Wanted {
  iccid: string;
  imsi: string;
  name: string;
  ecallIndication?: boolean;
}

export const delta: Wanted = { iccid: '89001030000000000045', imsi: '001030000000004', name: 'Delta Mobile' };
export const epsilon: Wanted = {
  iccid: '89099980000000000058',
  imsi: '999800000000005',
  name: 'Epsilon Net',
};
export const zeta: Wanted = { iccid: '89001040000000000063', imsi: '001040000000006', name: 'Zeta Wireless' };

/** Orders a profile at the SM-DP+, lets an eIM trigger its download, and waits until both have the result. */
export async function download(
  stage: Stage,
  wanted: Wanted,
  eim = stage.cast.eim,
  profileSize = stage.cast.profileSize,
): Promise<void> {
  const { smdp } = stage.cast;
  if (!smdp) throw new StepFailed('this story has no SM-DP+');
  const { iccid, imsi, name, ecallIndication } = wanted;
  const { activationCode } = smdp.order({
    iccid,
    imsi,
    serviceProviderName: name,
    profileName: `${name} IoT`,
    profileSize,
    fallbackAllowed: true,
    ecallIndication,
  });
  await stage.order({ download: { activationCode } }, {}, eim);
  const order = smdp.orders().find((one) => one.iccid === iccid);
  if (order?.state !== 'installed')
    throw new StepFailed(`the SM-DP+ has not heard that ${iccid} is installed: ${order?.state}`);
}

/** @throws StepFailed unless this profile is the enabled one */
export function expectEnabled(stage: Stage, iccid: string | undefined): void {
  const enabled = stage.enabled;
  if (enabled !== iccid)
    throw new StepFailed(`expected ${iccid ?? 'no profile'} to be enabled, it is ${enabled}`);
}
