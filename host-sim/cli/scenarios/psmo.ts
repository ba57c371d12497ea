import { hex } from '../../asn1/index.js';
import type { Stage } from '../stage.js';
import { factoryProfiles } from '../world.js';
import { fromTheFactory } from './common.js';

/** One device's life, from the factory to a changed operator and through two attacks. */
export async function psmo(stage: Stage): Promise<void> {
  const { eid, network, eim, backup, ciKeyId } = stage.cast;
  const [alpha, beta, gamma] = factoryProfiles().map(({ iccid }) => iccid);

  await fromTheFactory(stage);

  await stage.step('A poll with nothing', 'The eIM has no package: one message each way, and no APDU.');
  await stage.poll(eim.eimId);

  await stage.step('Profile list');
  await stage.order({ psmo: [{ op: 'listProfileInfo' }] });

  await stage.step(
    'Change of operator',
    'Enable Beta Cellular. The SIM resets, the network comes back, the result arrives through the new profile.',
  );
  await stage.order({ psmo: [{ op: 'enable', iccid: beta }] });
  const recorded = eim.lastPackage(eid);

  await stage.step('Fallback attribute', 'Gamma Roam becomes the Fallback Profile.');
  await stage.order({ psmo: [{ op: 'setFallbackAttribute', iccid: gamma }] });

  await stage.step(
    'A second eIM',
    'addEim by the first one; its token goes to the second eIM, which then lists the profiles itself.',
  );
  const configuration = hex(backup.eimConfiguration({ token: true, euiccCiPKId: ciKeyId }));
  const added = await stage.order({ eco: [{ op: 'addEim', eim: configuration }] });
  await stage.order({ eco: [{ op: 'listEim' }] });
  backup.setToken(eid, added.outcome === 'verified' ? added.results[0]?.associationToken : undefined);
  await stage.order({ psmo: [{ op: 'listProfileInfo' }] }, {}, backup);

  await stage.step('Data request', 'What the eIM may ask of eUICC and IPA without a signature.');
  await stage.order({
    data: { tags: ['euiccInfo1', 'defaultSmdpAddress', 'rootSmdsAddress', 'ipaCapabilities', 'deviceInfo'] },
  });

  await stage.step(
    'Injection while the device is offline',
    'No coverage. The eIM pushes a package, the broker keeps it until the device is back; it changes the operator once more.',
  );
  const lost = stage.until('the link is lost', (event) => event.event === 'link' && event.state === 'lost');
  network.blackOut('99970');
  await lost;
  const sent = stage.until(
    'the eIM publishes the package',
    (event) => event.event === 'eim' && event.what === 'sent',
  );
  const arrives = stage.order({ psmo: [{ op: 'enable', iccid: alpha }] }, { mode: 'injection' });
  await sent;
  network.allow('99970');
  await arrives;

  await stage.step(
    'The other eIM learns of it',
    'Its next poll carries notifyStateChange with cause otherEim.',
  );
  await stage.poll(backup.eimId);

  await stage.step(
    'A recorded package is played back',
    'The old enable of Beta Cellular, byte for byte, with its good signature.',
  );
  await stage.attack('replayError', recorded);

  await stage.step('A forged package', "Signed with another key than the eIM's.");
  await stage.attack('errorUnsigned', eim.forge(eid, { psmo: [{ op: 'disable', iccid: alpha }] }));

  await stage.step('What is left', 'A last poll: nothing to fetch, nothing to deliver.');
  await stage.poll(eim.eimId);
}
