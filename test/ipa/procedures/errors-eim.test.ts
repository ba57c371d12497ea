import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unhex } from '../../../host-sim/asn1/index.js';
import { FailingDownloads } from '../../support/failing.js';
import { hexOf } from '../../support/scripted-eim.js';
import { EID } from '../../support/world.js';

// The errors of an eIM in an indirect download (esipa.md §6), each one given once in place of its answer: the reason the
// eUICC signs for the SM-DP+ (procedures.md §7), the result, the log, and that the next download works.

const undefinedReason = 127;
const pprNotAllowed = 3;
const metadataMismatch = 4;

const integer = (code: number) => `0201${code.toString(16).padStart(2, '0').toUpperCase()}`;
const byteOf = (code: number) => code.toString(16).padStart(2, '0');

let downloads: FailingDownloads;
beforeAll(async () => {
  downloads = await FailingDownloads.make();
});
afterAll(() => downloads.world.stop());

/** Answers to the first tag given come from here, once; everything else is the eIM's own. */
function instead(answers: Record<string, string>): void {
  const { eim } = downloads.world;
  const left = { ...answers };
  eim.instead = (payload) => {
    const tag = hexOf(payload.subarray(0, 2));
    const answer = left[tag];
    delete left[tag];
    if (answer !== undefined) return unhex(answer);
    return eim.eim.handle(payload, { eid: EID, link: 'mqtt' });
  };
}

const failing = (answers: Record<string, string>) =>
  downloads.fail(
    {},
    {
      before: () => instead(answers),
      after: () => {
        downloads.world.eim.instead = undefined;
      },
    },
  );

const names: Record<string, string> = {
  BF39: 'InitiateAuthentication',
  BF3B: 'AuthenticateClient',
  BF3A: 'GetBoundProfilePackage',
};

const lists: readonly (readonly [string, string, readonly number[], Record<number, number>])[] = [
  ['BF39', '81', [1, 2, 3, 50, 51, 52, 127], {}],
  ['BF3B', '82', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 18, 50, 56, 127], { 50: pprNotAllowed }],
  ['BF3A', '81', [1, 2, 3, 4, 5, 6, 50, 95, 127], { 50: metadataMismatch }],
];

describe.each(lists)('%s {%s …}', (tag, field, codes, reasons) => {
  it.each(codes)('%i', async (code) => {
    const failed = await failing({ [tag]: `${tag}03${field}01${byteOf(code)}` });
    expect(failed.outcome).toEqual({
      outcome: 'downloadFailed',
      ok: false,
      by: 'ipa',
      code: 127,
      name: 'undefinedError',
      errorResponse: integer(code),
    });
    expect(failed.failures).toEqual([`download: the eIM refused ${names[tag]} with ${code}`]);
    const reason = reasons[code] ?? undefinedReason;
    expect(failed.cancelled).toEqual(tag === 'BF39' ? [] : [reason]);
    expect(failed.cancelledAtServer).toHaveLength(failed.cancelled.length);
    const { sent } = failed;
    expect(sent.at(-2)).toBe('bf3d');
    expect(sent.includes('bf41')).toBe(tag !== 'BF39');
  });
});

it.each([1, 2, 127])(
  'CancelSession is refused with %i: the first error is the one that is told',
  async (code) => {
    const failed = await failing({
      BF3B: 'BF3B03820106',
      BF41: `BF410381 01${byteOf(code)}`.replace(' ', ''),
    });
    expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', errorResponse: integer(6) });
    expect(failed.failures).toEqual([
      `CancelSession: the eIM refused CancelSession with ${code}`,
      'download: the eIM refused AuthenticateClient with 6',
    ]);
    expect(failed.cancelled).toEqual([undefinedReason]);
  },
);

describe('an answer that is none', () => {
  it.each([
    ['BF39', 'BF3900', 0],
    ['BF39', 'BF3902A000', 0],
    ['BF3B', 'BF3B00', 1],
    ['BF3B', 'BF3B02A000', 1],
    ['BF3B', 'BF3B02A100', 1],
    ['BF3A', 'BF3A00', 1],
    ['BF3A', 'BF3A02A000', 1],
    ['BF3A', 'BF3A06A004BF360100', 1],
  ])('%s: %s', async (_tag, answer, sessions) => {
    const failed = await failing({ [_tag]: answer });
    expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', code: 127 });
    expect(failed.cancelled).toHaveLength(sessions);
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(/^download: /);
  });
});

it('the next one works', () => downloads.succeed());
