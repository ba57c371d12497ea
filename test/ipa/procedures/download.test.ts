import { describe, expect, it } from 'vitest';
import { hex } from '../../../host-sim/asn1/index.js';
import { hexOf, inEnvelope, NO_PACKAGE, script } from '../../support/scripted-eim.js';
import { SMDP, World } from '../../support/world.js';

const TXID = '000102030405060708090A0B0C0D0E0F';

/** BF54 with an activation code. */
function trigger(code: string): string {
  const text = Buffer.from(code).toString('hex').toUpperCase();
  const n = (length: number) => length.toString(16).padStart(2, '0').toUpperCase();
  const ac = `80${n(code.length)}${text}`;
  return `BF54${n(ac.length / 2 + 2 + 18)}A0${n(ac.length / 2)}${ac}8210${TXID}`;
}

describe('direct download', () => {
  it('installs a profile, tells the eIM and the SM-DP+, and forgets', async () => {
    const world = await World.idle({ direct: true });
    const { matchingId } = world.smdp.order({ iccid: '8988211000000123456', profileSize: 5_000 });
    const taken = script(world.eim, {
      BF4F: [inEnvelope('BF4F', trigger(`1$${SMDP}$${matchingId}`)), NO_PACKAGE],
      BF3D: ['BF4E03BF5300'],
    });
    const before = world.euicc.profiles.length;
    world.ipad.poll();
    await world.until(() => taken.length >= 3, 'poll, result, poll');
    await world.untilState('idle');
    expect(world.euicc.profiles).toHaveLength(before + 1);
    const reports = taken.filter((message) => hexOf(message.subarray(0, 2)) === 'BF3D');
    expect(reports).toHaveLength(1);
    const report = hex(reports[0]);
    expect(report).toContain(`8210${TXID}BF37`);
    expect(world.http.requests.map(({ path }) => path.slice(path.lastIndexOf('/') + 1))).toEqual([
      'initiateAuthentication',
      'authenticateClient',
      'getBoundProfilePackage',
      'handleNotification',
    ]);
    expect(world.storage.read('download')).toBeUndefined();
    expect(world.storage.read('directResults')).toBeUndefined();
    await world.stop();
  });
});
