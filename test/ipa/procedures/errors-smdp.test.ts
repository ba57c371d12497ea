import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RspFunction, statusCodes } from '../../../host-sim/smdp/index.js';
import { FailingDownloads } from '../../support/failing.js';

// Every status code of an SM-DP+ (procedures.md §6), given once through the whole chain: what the eIM and the SM-DP+ get,
// what the log says, and that the next download works.

const ia = 'initiateAuthentication';
const ac = 'authenticateClient';
const bpp = 'getBoundProfilePackage';
const names = { [ia]: 'InitiateAuthentication', [ac]: 'AuthenticateClient', [bpp]: 'GetBoundProfilePackage' };

/** Status code, who tells it, and the error of the ESipa message that it becomes in an indirect download (esipa.md §6). */
const rows: readonly (readonly [string, keyof typeof names, number])[] = [
  ['1.2.1/2.1', ia, 127],
  ['1.2.2/2.1', ia, 127],
  ['1.6/4.2', ia, 127],
  ['8.8.1/3.8', ia, 1],
  ['8.8.3/3.1', ia, 2],
  ['8.8.2/3.1', ia, 3],
  ['8.8.4/3.7', ia, 3],
  ['8.1/4.2', ac, 127],
  ['8.1/4.8', ac, 11],
  ['8.1/6.1', ac, 5],
  ['8.1.1/2.2', ac, 7],
  ['8.1.1/3.1', ac, 7],
  ['8.1.1/3.8', ac, 7],
  ['8.1.2/6.1', ac, 1],
  ['8.1.2/6.3', ac, 2],
  ['8.1.3/6.1', ac, 3],
  ['8.1.3/6.3', ac, 4],
  ['8.2/1.2', ac, 127],
  ['8.2.5/3.7', ac, 8],
  ['8.2.5/4.3', ac, 8],
  ['8.2.6/3.1', ac, 6],
  ['8.2.6/3.3', ac, 6],
  ['8.2.6/3.8', ac, 6],
  ['8.8/3.1', ac, 127],
  ['8.8.5/4.1', ac, 127],
  ['8.8.5/6.4', ac, 127],
  ['8.10.1/3.9', ac, 10],
  ['8.11.1/3.9', ac, 9],
  ['8.1/6.1', bpp, 1],
  ['8.2/3.7', bpp, 5],
  ['8.2.7/2.2', bpp, 2],
  ['8.2.7/3.8', bpp, 3],
  ['8.2.7/6.4', bpp, 4],
  ['8.8.5/4.1', bpp, 6],
  ['8.10.1/3.9', bpp, 95],
];

/** What CancelSession may be answered with. */
const cancelRows: readonly (readonly [string, number])[] = [
  ['8.1/6.1', 2],
  ['8.8/3.10', 127],
  ['8.10.1/3.9', 1],
];

const hexOf = (text: string) => Buffer.from(text).toString('hex').toUpperCase();
const integer = (code: number) => `0201${code.toString(16).padStart(2, '0').toUpperCase()}`;

it('there is a row for every code', () => {
  const told = new Set([...rows.map(([status]) => status), ...cancelRows.map(([status]) => status)]);
  const ofSmds = (status: string) => status.startsWith('8.9');
  expect(Object.keys(statusCodes).filter((status) => !ofSmds(status) && !told.has(status))).toEqual([]);
});

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s: the SM-DP+ says', (way, options) => {
  let downloads: FailingDownloads;
  beforeAll(async () => {
    downloads = await FailingDownloads.make(options);
  });
  afterAll(async () => {
    await downloads.succeed();
    await downloads.world.stop();
  });
  const direct = way === 'direct';
  const provoke = (status: string, called: RspFunction) => () =>
    downloads.world.smdp.provoke(`${status}@${called}`, 1);

  it.each(rows)('%s in %s', async (status, called, code) => {
    const failed = await downloads.fail(called === ia ? {} : { provoke: [`${status}@${called}`] }, {
      before: called === ia ? provoke(status, ia) : undefined,
    });
    const said = status.replace('/', ' ');
    expect(failed.outcome).toEqual({
      outcome: 'downloadFailed',
      ok: false,
      by: 'ipa',
      code: 127,
      name: 'undefinedError',
      errorResponse: direct ? hexOf(said) : integer(code),
    });
    expect(failed.refused).toEqual([`${called} ${status}`]);
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(
      direct
        ? `download: smdp.example.com says Failed: ${said}`
        : `download: the eIM refused ${names[called]} with ${code}`,
    );
    // Before there is a session nothing can be cancelled.
    expect(failed.cancelled).toEqual(called === ia ? [] : [127]);
    expect(failed.cancelledAtServer).toEqual(called === ia ? [] : ['undefinedReason']);
    const relayed = {
      [ia]: ['bf39'],
      [ac]: ['bf39', 'bf3b', 'bf41'],
      [bpp]: ['bf39', 'bf3b', 'bf3a', 'bf41'],
    };
    expect(failed.sent.filter((tag) => tag !== 'bf4f' && tag !== 'bf50')).toEqual([
      ...(direct ? [] : relayed[called]),
      'bf3d',
    ]);
  });

  it.each(cancelRows)(
    '%s to CancelSession, and the first reason is the one that is told',
    async (status, code) => {
      const failed = await downloads.fail(
        { provoke: ['8.2.6/3.8'] },
        { before: provoke(status, 'cancelSession') },
      );
      expect(failed.outcome).toMatchObject({
        outcome: 'downloadFailed',
        errorResponse: direct ? hexOf('8.2.6 3.8') : integer(6),
      });
      expect(failed.refused).toEqual([`${ac} 8.2.6/3.8`, `cancelSession ${status}`]);
      expect(failed.cancelled).toEqual([127]);
      const said = status.replace('/', ' ');
      expect(failed.failures).toHaveLength(2);
      expect(failed.failures[0]).toMatch(
        direct
          ? `CancelSession: smdp.example.com says Failed: ${said}`
          : `CancelSession: the eIM refused CancelSession with ${code}`,
      );
      expect(failed.failures[1]).toMatch(/^download: /);
    },
  );

  it('the next one works', () => downloads.succeed());
});
