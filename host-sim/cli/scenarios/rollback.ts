import type { Stage } from '../stage.js';
import { factoryProfiles } from '../world.js';
import { expectEnabled, fromTheFactory } from './common.js';

/** A new profile that finds no network; the device goes back by itself. */
export async function rollback(stage: Stage): Promise<void> {
  const [, beta] = factoryProfiles();
  await fromTheFactory(stage);
  await rollBack(stage, beta.iccid, '99970');

  await stage.step(
    'Another attempt',
    'The network is there now: the same order with the same flag is carried out.',
  );
  stage.cast.network.allow('99970');
  await stage.order({ psmo: [{ op: 'enable', iccid: beta.iccid, rollback: true }] });
  expectEnabled(stage, beta.iccid);
}

/** Orders a profile whose IMSIs find no network, and waits for the former one. */
export async function rollBack(stage: Stage, iccid: string, imsis: string): Promise<void> {
  const { enabled } = stage;
  await stage.step(
    'Rollback',
    'Enable with the rollback flag a profile that has no coverage. In vain the device waits for the network, then it enables the former profile; the eIM learns only how it ended.',
  );
  stage.cast.network.blackOut(imsis);
  await stage.orderInVain(
    { psmo: [{ op: 'enable', iccid, rollback: true }] },
    (ended) => ended.outcome === 'verified' && ended.results.map(({ op }) => op).join() === 'rollback',
  );
  expectEnabled(stage, enabled);
}
