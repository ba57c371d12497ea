import type { Stage } from '../stage.js';
import { factoryProfiles } from '../world.js';
import { expectEnabled, fromTheFactory } from './common.js';

/** The enabled profile loses its network; the Fallback Profile helps out. */
export async function fallback(stage: Stage): Promise<void> {
  await fromTheFactory(stage);
  await fallBackAndReturn(stage, '00101000');
}

/** @param imsis of the enabled profile, and of no other one */
export async function fallBackAndReturn(stage: Stage, imsis: string): Promise<void> {
  const { network, eim } = stage.cast;
  const { enabled } = stage;
  const [, , gamma] = factoryProfiles();
  await stage.step('Fallback attribute', 'Gamma Roam becomes the Fallback Profile.');
  await stage.order({ psmo: [{ op: 'setFallbackAttribute', iccid: gamma.iccid }] });

  await stage.step(
    'Loss of coverage',
    'The enabled profile finds no network any more. After a while the IPA goes to the Fallback Profile and tells the eIM why.',
  );
  const told = stage.until(
    'the eIM hears of the fallback',
    (event) =>
      event.event === 'eim' && event.what === 'poll' && event.detail?.stateChangeCause === 'fallback',
  );
  network.blackOut(imsis);
  await told;
  await stage.quiet();
  expectEnabled(stage, gamma.iccid);

  await stage.step(
    'Return',
    'The network is back. When its time is over the IPA tries the former profile again.',
  );
  const returned = stage.until(
    'the former profile is enabled',
    (event) => event.event === 'switched' && event.what === 'returnFromFallback',
  );
  network.allow(imsis);
  await returned;
  await stage.poll(eim.eimId);
  await stage.quiet();
  expectEnabled(stage, enabled);
}
