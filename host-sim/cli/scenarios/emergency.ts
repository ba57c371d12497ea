import type { Stage } from '../stage.js';
import { factoryProfiles } from '../world.js';
import { download, expectEnabled, fromTheFactory, type Wanted } from './common.js';

const ecall: Wanted = {
  iccid: '89001050000000000071',
  imsi: '001050000000007',
  name: 'Emergency Call',
  ecallIndication: true,
};

/** An emergency profile is downloaded, used by the device without asking anybody, and left again. */
export async function emergency(stage: Stage): Promise<void> {
  const { ipad, eim } = stage.cast;
  await fromTheFactory(stage);
  const { enabled } = stage;
  await stage.step('Emergency Profile', 'A profile with ecallIndication, straight from the SM-DP+.');
  await download(stage, ecall);

  await stage.step(
    'Emergency call',
    'The device enables the Emergency Profile, without order and without notifications.',
  );
  await stage.perform({ op: 'enableEmergencyProfile' });
  expectEnabled(stage, ecall.iccid);
  await stage.poll(eim.eimId);

  await stage.step('Not now', 'While it is enabled the eUICC refuses to enable another profile.');
  await stage.orderInVain(
    { psmo: [{ op: 'enable', iccid: factoryProfiles()[1].iccid }] },
    (ended) => ended.outcome === 'refused' && ended.name === 'ecallActive',
  );

  await stage.step('The call is over', 'The device disables it; the former profile is enabled again.');
  await stage.perform({ op: 'disableEmergencyProfile' });
  expectEnabled(stage, enabled);
  if (ipad.state !== 'idle') await stage.idle();
  await stage.poll(eim.eimId);
  await stage.quiet();
}
