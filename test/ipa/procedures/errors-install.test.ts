import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decode,
  encode,
  NotificationSentRequest,
  ProfileInstallationResult,
  ProfileInstallationResultData,
  RetrieveNotificationsListRequest,
  toSign,
  unhex,
  writeElement,
} from '../../../host-sim/asn1/index.js';
import { sign } from '../../../host-sim/pki/index.js';
import { cardAnswering } from '../../support/card.js';
import { FailingDownloads } from '../../support/failing.js';
import { SMDP } from '../../support/world.js';

// Every command of a Bound Profile Package at which an eUICC may give up, and every reason it may have (es10.md §4.5), each
// once and both ways: the result is signed, belongs to the SM-DP+, and ends the download; nothing more is sent.

/** Where each command stands in a package: first byte of its chain. */
const commands = [
  ['initialiseSecureChannel', 0xbf],
  ['configureISDP', 0xa0],
  ['storeMetadata', 0x88],
  ['storeMetadata2', 0x88],
  ['replaceSessionKeys', 0xa2],
  ['loadProfileElements', 0x86],
] as const;

/** bppCommandId, errorReason, the name of the reason, and whether the SM-DP+ gives the order out again. */
const rows: readonly (readonly [number, number, string, boolean])[] = [
  [0, 1, 'incorrectInputValues', false],
  [0, 2, 'invalidSignature', false],
  [0, 3, 'invalidTransactionId', false],
  [0, 4, 'unsupportedCrtValues', false],
  [0, 5, 'unsupportedRemoteOperationType', false],
  [2, 6, 'unsupportedProfileClass', false],
  [1, 7, 'scp03tStructureError', true],
  [1, 8, 'scp03tSecurityError', true],
  [2, 9, 'installFailedDueToIccidAlreadyExistsOnEuicc', false],
  [5, 10, 'installFailedDueToInsufficientMemoryForProfile', false],
  [5, 11, 'installFailedDueToInterruption', true],
  [5, 12, 'installFailedDueToPEProcessingError', false],
  [5, 13, 'installFailedDueToDataMismatch', false],
  [5, 14, 'testProfileInstallFailedDueToInvalidNaaKey', false],
  [2, 15, 'pprNotAllowed', false],
  [3, 127, 'installFailedDueToUnknownError', false],
  [4, 127, 'installFailedDueToUnknownError', false],
  [4, 8, 'scp03tSecurityError', true],
];

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s', (_way, options) => {
  let downloads: FailingDownloads;
  let seqNumber = 1_000;
  beforeAll(async () => {
    downloads = await FailingDownloads.make({ ...options, settings: { immediateEnable: true } });
  });
  afterAll(() => downloads.world.stop());

  /** The eUICC takes the chains before, gives this result, and keeps it until it is removed. */
  function givingUp(bppCommandId: number, errorReason: number) {
    const { world } = downloads;
    const own = ++seqNumber;
    let result: Uint8Array | undefined;
    let removed = 0;
    let after = 0;
    let undo = () => {};
    const make = () => {
      const [transactionId] = downloads
        .details('card', 'serverAuthenticated', 0)
        .map((detail) => String(detail.transactionId))
        .slice(-1);
      const data = toSign(ProfileInstallationResultData, {
        transactionId: unhex(transactionId),
        notificationMetadata: {
          seqNumber: own,
          profileManagementOperation: ['notificationInstall'],
          notificationAddress: SMDP,
        },
        smdpOid: world.smdp.oid,
        finalResult: { errorResult: { bppCommandId, errorReason } },
      });
      return encode(ProfileInstallationResult, {
        profileInstallationResultData: data,
        euiccSignPIR: sign(world.pki.euicc.privateKey, data.bytes),
      });
    };
    const isChain = ([first, second]: Uint8Array) => (first === 0xbf ? second === 0x36 : first < 0xbf);
    const answer = (request: Uint8Array): Uint8Array | number | undefined => {
      if (isChain(request)) {
        if (result) after++;
        else if (request[0] === commands[bppCommandId][1]) {
          result = make();
          return result;
        }
        return 0x9000;
      }
      if (!result || removed > 0) return undefined;
      if (request[1] === 0x2b) {
        const { searchCriteria } = decode(RetrieveNotificationsListRequest, request);
        if (searchCriteria?.seqNumber === own) return writeElement(0xbf2b, writeElement(0xa0, result));
      }
      if (request[1] === 0x30 && decode(NotificationSentRequest, request).seqNumber === own) {
        removed++;
        return unhex('BF3003800100');
      }
      return undefined;
    };
    return {
      seqNumber: own,
      before: () => {
        undo = cardAnswering(world, answer);
      },
      after: () => {},
      end: () => {
        undo();
        return { removed, after };
      },
    };
  }

  it.each(rows)('command %i, reason %i %s', async (bppCommandId, errorReason, name, again) => {
    const card = givingUp(bppCommandId, errorReason);
    const failed = await downloads.fail({ replaceSessionKeys: bppCommandId === 4 }, card);
    expect(card.end()).toEqual({ removed: 1, after: 0 });
    const what = `${commands[bppCommandId][0]}: ${name}`;
    expect(failed.outcome).toEqual({
      outcome: 'downloadFailed',
      ok: false,
      by: 'euicc',
      name: what,
      code: errorReason,
      seqNumber: card.seqNumber,
    });
    expect(failed.failures).toEqual([
      `download: the profile was not installed: command ${bppCommandId} of the package, reason ${errorReason}`,
    ]);
    const { world } = downloads;
    const notified = downloads.details('smdp', 'notification', failed.since);
    expect(notified).toMatchObject([{ verified: true, result: what, seqNumber: card.seqNumber }]);
    expect(world.smdp.orders().at(-1)?.state).toBe(again ? 'released' : 'error');
    // The session ended with the result.
    expect(failed.cancelledAtServer).toEqual([]);
    expect(failed.sent.includes('bf41')).toBe(false);
  });

  it('the next one works, and only that one is enabled', async () => {
    const asked = () =>
      downloads.world.of('apdu').filter(({ command }) => command[5] === 0xbf && command[6] === 0x5a).length;
    expect(asked()).toBe(0);
    await downloads.succeed();
    expect(asked()).toBe(1);
  });
});
