import { hex } from '../../asn1/index.js';
import type { Order } from '../../eim/index.js';
import type { Stage } from '../stage.js';
import { factoryProfiles } from '../world.js';
import { fromTheFactory } from './common.js';

/** One device's life, from the factory to a changed operator and through two attacks. */
export async function psmo(stage: Stage): Promise<void> {
  const { eid, eim, backup } = stage.cast;
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
  const configuration = hex(stage.configuration(backup));
  const added = await stage.order({ eco: [{ op: 'addEim', eim: configuration }] });
  await stage.order({ eco: [{ op: 'listEim' }] });
  backup.setToken(eid, added.outcome === 'verified' ? added.results[0]?.associationToken : undefined);
  await stage.order({ psmo: [{ op: 'listProfileInfo' }] }, {}, backup);

  await stage.step('Data request', 'What the eIM may ask of eUICC and IPA without a signature.');
  await stage.order({
    data: { tags: ['euiccInfo1', 'defaultSmdpAddress', 'rootSmdsAddress', 'ipaCapabilities', 'deviceInfo'] },
  });

  await orderWhileOffline(stage, '99970', { psmo: [{ op: 'enable', iccid: alpha }] });

  await stage.step(
    'The other eIM learns of it',
    'Its next poll carries notifyStateChange with cause otherEim.',
  );
  await stage.poll(backup.eimId);

  const comes = eim.onInjection ? 'pushed to the device' : 'as the answer to a poll';
  await stage.step(
    'A recorded package is played back',
    `The old enable of Beta Cellular, byte for byte, with its good signature, ${comes}.`,
  );
  await stage.attack('replayError', recorded);

  await stage.step('A forged package', `Signed with another key than the eIM's; it comes ${comes}, too.`);
  await stage.attack('errorUnsigned', eim.forge(eid, { psmo: [{ op: 'disable', iccid: alpha }] }));

  await stage.step('What is left', 'A last poll: nothing to fetch, nothing to deliver.');
  await stage.poll(eim.eimId);
}

/** What is done about a device that is not there. */
const offline = {
  mqtt: {
    title: 'Injection while the device is offline',
    text: 'The eIM pushes a package, the broker keeps it until the device is back',
  },
  coaps: {
    title: 'Injection while the device is offline',
    text: 'The eIM pushes a package, and nobody answers; the poll of the device that is back brings it',
  },
  https: {
    title: 'An order while the device is offline',
    text: 'Over HTTPS nobody can push: the package waits at the eIM until the device is back and polls',
  },
};

/** @param imsis of the enabled profile, and of no other one */
async function orderWhileOffline(stage: Stage, imsis: string, order: Order): Promise<void> {
  const { network, eim, ipad } = stage.cast;
  const link = stage.link();
  const { title, text } = offline[link];
  await stage.step(title, `No coverage. ${text}; it changes the operator once more.`);
  const lost = stage.until('the network is lost', (event) =>
    // Over HTTPS there is no connection that could break.
    link === 'https'
      ? event.event === 'sim-modem' && event.what === 'lost'
      : event.event === 'link' && event.state === 'lost' && event.eimId === eim.eimId,
  );
  network.blackOut(imsis);
  await lost;
  const mode = eim.onInjection ? 'injection' : 'retrieval';
  const wanted = mode === 'injection' ? 'sent' : 'queued';
  const there = stage.until(
    `the package is ${wanted}`,
    (event) => event.event === 'eim' && event.what === wanted,
  );
  const arrives = stage.order(order, { mode });
  await there;
  network.allow(imsis);
  if (link === 'coaps') ipad.poll();
  await arrives;
}
