import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unhex } from '../../../host-sim/asn1/index.js';
import { FailingDownloads } from '../../support/failing.js';
import { hexOf } from '../../support/scripted-eim.js';
import { EID, SMDP, SMDS } from '../../support/world.js';

// Every status code of an SM-DS (procedures.md §§6, 9), asked by the IPA itself (ES11) and through the eIM (ES11').

const ia = 'initiateAuthentication';
const ac = 'authenticateClient';

/** Status code, who tells it, and what the eIM makes of it in ESipa: ES11 has errors of its own, BF40 {81 …}. */
const rows: readonly (readonly [string, typeof ia | typeof ac, number])[] = [
  ['8.9.1/3.8', ia, 1],
  ['8.9.3/3.1', ia, 2],
  ['8.9.2/3.1', ia, 3],
  ['8.9.4/3.7', ia, 3],
  ['8.1.2/6.1', ac, 1],
  ['8.1.2/6.3', ac, 2],
  ['8.1.3/6.1', ac, 3],
  ['8.1.3/6.3', ac, 4],
  ['8.1/6.1', ac, 5],
  ['8.9.5/3.9', ac, 56],
  ['8.10.1/3.9', ac, 10],
  ['8.11.1/3.9', ac, 127],
];

const integer = (code: number) => `0201${code.toString(16).padStart(2, '0').toUpperCase()}`;
const names = { [ia]: 'InitiateAuthentication', [ac]: 'AuthenticateClient' };

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s: the SM-DS says', (way, options) => {
  const direct = way === 'direct';
  let downloads: FailingDownloads;
  const trigger = { smds: SMDS };
  beforeAll(async () => {
    downloads = await FailingDownloads.make(options);
  });
  afterAll(() => downloads.world.stop());

  it.each(rows)('%s in %s', async (status, called, code) => {
    const { smds } = downloads.world;
    const failed = await downloads.fail(
      {},
      { trigger, before: () => smds.provoke(`${status}@${called}`, 1) },
    );
    const said = status.replace('/', ' ');
    expect(failed.outcome).toEqual({
      outcome: 'downloadFailed',
      ok: false,
      by: 'ipa',
      code: 127,
      name: 'undefinedError',
      errorResponse: direct ? hexOf(Buffer.from(said)) : integer(code),
    });
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(
      direct
        ? `download: ${SMDS} says Failed: ${said}`
        : `download: the eIM refused ${names[called]} with ${code}`,
    );
    // The SM-DP+ has not been asked yet, and there is nothing that an SM-DS could cancel.
    expect(failed.refused).toEqual([]);
    expect(failed.sent.includes('bf41')).toBe(false);
  });

  it('that there is no event', async () => {
    const failed = await downloads.fail({}, { trigger });
    expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', by: 'ipa', code: 127 });
    expect(failed.failures).toEqual([`download: ${SMDS} has no event for this eUICC`]);
  });

  it('where the profile is: the next one works', async () => {
    const { world } = downloads;
    const { matchingId } = world.smdp.order({ iccid: downloads.nextIccid(), profileSize: 1_500 });
    world.smds.register({ eid: EID, eventId: matchingId!, rspServerAddress: SMDP });
    const before = world.euicc.profiles.length;
    expect(await world.order({ download: trigger })).toMatchObject({ outcome: 'downloaded', ok: true });
    await downloads.settled();
    expect(world.euicc.profiles).toHaveLength(before + 1);
    world.smds.delete(EID, matchingId!);
    await downloads.succeed();
  });

  it('where an SM-DP+ is that does not know the event', async () => {
    const { world } = downloads;
    world.smds.register({ eid: EID, eventId: 'NO-SUCH-ORDER', rspServerAddress: SMDP });
    const failed = await downloads.fail({}, { trigger });
    world.smds.delete(EID, 'NO-SUCH-ORDER');
    expect(failed.refused).toEqual([`${ac} 8.2.6/3.8`]);
    expect(failed.cancelled).toEqual([127]);
    expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', by: 'ipa' });
  });
});

it('an eIM that answers for an SM-DS where an SM-DP+ was asked', async () => {
  const downloads = await FailingDownloads.make();
  const { eim } = downloads.world;
  const answering = (answer: string) => ({
    before: () => {
      eim.instead = (payload) =>
        hexOf(payload.subarray(0, 2)) === 'BF3B'
          ? unhex(answer)
          : eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
    },
    after: () => {
      eim.instead = undefined;
    },
  });
  const asSmds = await downloads.fail({}, answering('BF3B05A103800177'));
  expect(asSmds.failures).toEqual(['download: the eIM answered with an event of an SM-DS']);
  expect(asSmds.cancelled).toEqual([127]);
  await downloads.succeed();
  await downloads.world.stop();
});
