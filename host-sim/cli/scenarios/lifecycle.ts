import { MemoryReset } from '../../../ipa/es10/index.js';
import { type Stage, StepFailed } from '../stage.js';
import { factoryProfiles } from '../world.js';
import { addIndirectEim, download, epsilon, expectEnabled, fromTheFactory, zeta } from './common.js';
import { directDownload, enable, indirectDownload } from './download.js';
import { fallBackAndReturn } from './fallback.js';
import { rollBack } from './rollback.js';

/** All that can become of profiles: from the download to the reset of the eUICC. */
export async function lifecycle(stage: Stage): Promise<void> {
  const { eim, network } = stage.cast;
  const [, , gamma] = factoryProfiles();
  await fromTheFactory(stage);
  await directDownload(stage);
  await addIndirectEim(stage);
  await indirectDownload(stage);
  await enable(stage);
  await rollBack(stage, epsilon.iccid, '99980');
  network.allow('99980');
  await fallBackAndReturn(stage, '00103');

  await stage.step(
    'Immediate enable',
    `configureImmediateEnable, then ${zeta.name} from the SM-DP+: it is enabled as soon as it is installed.`,
  );
  await stage.order({ psmo: [{ op: 'configureImmediateEnable', enable: true }] });
  await download(stage, zeta);
  await stage.poll(eim.eimId);
  await stage.quiet();
  expectEnabled(stage, zeta.iccid);

  await stage.step('Delete', `${epsilon.name} goes; the SM-DP+ is told.`);
  await stage.order({ psmo: [{ op: 'delete', iccid: epsilon.iccid }] });

  await stage.step(
    'Reset of the profiles',
    'Gamma Roam, a provisioning profile, is enabled and stays. eUICCMemoryReset: the operational profiles go, and the eIMs are told.',
  );
  await stage.order({ psmo: [{ op: 'enable', iccid: gamma.iccid }] });
  await stage.perform({
    op: 'resetMemory',
    options: MemoryReset.operationalProfiles | MemoryReset.defaultSmdpAddress,
  });
  await stage.poll(eim.eimId);
  await stage.quiet();
  const left = stage.cast.euicc.profiles.length;
  if (left !== 1) throw new StepFailed(`${left} profiles are left after the reset, not one`);

  await stage.step('Reset of the eIMs', 'eUICCMemoryReset once more: no eIM is left, as from the factory.');
  const alone = stage.state('unassociated');
  await stage.perform({ op: 'resetMemory', options: MemoryReset.eimConfiguration });
  await alone;
}
