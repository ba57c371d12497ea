import type { Stage } from '../stage.js';
import { addIndirectEim, delta, download, epsilon, expectEnabled, fromTheFactory } from './common.js';

/** Bytes: what is shown with a very long profile is shown once. */
const LONGEST_INDIRECT = 50_000;

/** A profile straight from the SM-DP+, another one through an eIM. */
export async function downloads(stage: Stage): Promise<void> {
  await fromTheFactory(stage);
  await directDownload(stage);
  await addIndirectEim(stage);
  await indirectDownload(stage);
  await enable(stage);

  await stage.step('Profile list');
  await stage.order({ psmo: [{ op: 'listProfileInfo' }] });
}

export async function directDownload(stage: Stage): Promise<void> {
  await stage.step(
    'Direct download',
    `${delta.name}, ${stage.cast.profileSize} B: the eIM gives the activation code, the IPA asks the SM-DP+ itself (ES9+) and loads the package as it comes. ${stage.cast.smdpWay}`,
  );
  await download(stage, delta);
}

export async function indirectDownload(stage: Stage): Promise<void> {
  const size = Math.min(stage.cast.profileSize, LONGEST_INDIRECT);
  await stage.step(
    'Indirect download',
    `${epsilon.name}, ${size} B: everything goes through the second eIM, which asks the SM-DP+ (ES9+′).`,
  );
  await download(stage, epsilon, stage.cast.backup, size);
}

export async function enable(stage: Stage): Promise<void> {
  await stage.step('Enable', `${delta.name} replaces the profile from the factory.`);
  await stage.order({ psmo: [{ op: 'enable', iccid: delta.iccid }] });
  expectEnabled(stage, delta.iccid);
}
