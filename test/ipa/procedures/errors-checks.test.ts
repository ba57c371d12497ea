import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerSigned1, SmdpSigned2, toSign, unhex } from '../../../host-sim/asn1/index.js';
import type { Smdp } from '../../../host-sim/smdp/index.js';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { FailingDownloads } from '../../support/failing.js';
import { SMDP } from '../../support/world.js';

// What the IPA itself finds wrong (procedures.md §6, steps 5c and 10; §7): the session ends on both sides with the reason
// that fits, and everybody is told.

const undefinedReason = 127;

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s', (way, options) => {
  const direct = way === 'direct';
  let downloads: FailingDownloads;
  beforeAll(async () => {
    downloads = await FailingDownloads.make(options);
  });
  afterAll(() => downloads.world.stop());

  /** The SM-DP+ answers this function otherwise. */
  function tampering<F extends 'initiateAuthentication' | 'authenticateClient' | 'getBoundProfilePackage'>(
    called: F,
    change: (answer: ReturnType<Smdp[F]>) => ReturnType<Smdp[F]>,
  ) {
    const { smdp } = downloads.world;
    const original = smdp[called].bind(smdp) as (request: unknown) => ReturnType<Smdp[F]>;
    return {
      before: () => {
        Object.assign(smdp, { [called]: (request: unknown) => change(original(request)) });
      },
      after: () => {
        Object.assign(smdp, { [called]: original });
      },
    };
  }

  const signedAs = (change: Partial<ReturnType<Smdp['initiateAuthentication']>['serverSigned1']['value']>) =>
    tampering('initiateAuthentication', (answer) => ({
      ...answer,
      serverSigned1: toSign(ServerSigned1, { ...answer.serverSigned1.value, ...change }),
    }));

  it('another challenge', async () => {
    const failed = await downloads.fail({}, signedAs({ euiccChallenge: unhex('00'.repeat(16)) }));
    expect(failed.failures).toEqual([
      'download: serverSigned1 does not repeat the challenge of this session',
    ]);
    expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', code: 127 });
    // The eUICC has seen nothing that it could end: that is what it says, and what the SM-DP+ is told.
    expect(failed.cancelled).toEqual([]);
    expect(failed.cancelledAtServer).toEqual(['unsigned']);
  });

  it('another address', async () => {
    const failed = await downloads.fail({}, signedAs({ serverAddress: 'evil.example.com' }));
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(
      direct
        ? 'the server calls itself evil.example.com, not smdp.example.com'
        : 'the eIM refused InitiateAuthentication with 50',
    );
    expect(failed.cancelledAtServer).toEqual(direct ? ['unsigned'] : []);
  });

  it('the address in other letters is the same', async () => {
    const capitals = signedAs({ serverAddress: SMDP.toUpperCase() });
    const failed = await downloads.fail({}, capitals);
    // Only its signature, which is over the address as it was, is wrong.
    expect(failed.failures).toEqual(['download: the eUICC refused the server with 2']);
  });

  it('another OID than the activation code says', async () => {
    const { world } = downloads;
    const { matchingId } = world.smdp.order({ iccid: downloads.nextIccid(), profileSize: 1_500 });
    const trigger = { activationCode: `1$${SMDP}$${matchingId}$2.999.11` };
    const failed = await downloads.fail({}, { trigger });
    expect(failed.failures).toEqual([
      direct
        ? 'download: the certificate of the SM-DP+ does not carry the OID of the activation code'
        : 'download: the eIM refused InitiateAuthentication with 51',
    ]);
    expect(failed.cancelledAtServer).toEqual(direct ? ['unsigned'] : []);
  });

  it('a CI key that the eUICC does not have', async () => {
    const failed = await downloads.fail(
      {},
      tampering('initiateAuthentication', (answer) => ({
        ...answer,
        euiccCiPKIdToBeUsed: unhex('AB'.repeat(20)),
      })),
    );
    expect(failed.failures).toEqual(['download: the server chose a CI key that the eUICC does not have']);
    expect(failed.cancelledAtServer).toEqual(['unsigned']);
  });

  it('smdpSigned2 of another transaction', async () => {
    const failed = await downloads.fail(
      {},
      tampering('authenticateClient', (answer) => ({
        ...answer,
        smdpSigned2: toSign(SmdpSigned2, { ...answer.smdpSigned2.value, transactionId: unhex('77') }),
      })),
    );
    expect(failed.failures).toEqual(['download: smdpSigned2 belongs to another transaction']);
    expect(failed.cancelled).toEqual([undefinedReason]);
    expect(failed.cancelledAtServer).toEqual(['undefinedReason']);
  });

  it.each([[['ppr1']], [['ppr2']], [['ppr1', 'ppr2']]] as const)(
    'policy rules %j that the RAT does not allow: pprNotAllowed',
    async (profilePolicyRules) => {
      const failed = await downloads.fail({ profilePolicyRules: [...profilePolicyRules] });
      expect(failed.failures).toEqual([
        'download: the Rules Authorisation Table does not allow the policy rules of the profile',
      ]);
      expect(failed.cancelled).toEqual([3]);
      expect(failed.cancelledAtServer).toEqual(['pprNotAllowed']);
      expect(failed.outcome).toMatchObject({ outcome: 'downloadFailed', code: 127 });
    },
  );

  it('metadata that cannot be read', async () => {
    const failed = await downloads.fail(
      {},
      tampering('authenticateClient', (answer) => ({
        ...answer,
        profileMetadata: { ...answer.profileMetadata, bytes: unhex('BF25035A0A98') },
      })),
    );
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(/^download: the other side sent what cannot be read/);
    expect(failed.cancelled).toEqual([undefinedReason]);
  });

  it('a confirmation code that nobody has: endUserRejection', async () => {
    const failed = await downloads.fail({ confirmationCode: '1234' });
    expect(failed.failures).toEqual([
      'download: the order needs a confirmation code, and this device has none',
    ]);
    expect(failed.cancelled).toEqual([0]);
    expect(failed.cancelledAtServer).toEqual(['endUserRejection']);
  });

  it.each([10, 400, 900])('a package that ends after %i bytes: loadBppExecutionError', async (length) => {
    const failed = await downloads.fail(
      {},
      tampering('getBoundProfilePackage', (answer) => ({
        ...answer,
        boundProfilePackage: answer.boundProfilePackage.slice(0, length),
      })),
    );
    expect(failed.failures).toHaveLength(1);
    expect(failed.failures[0]).toMatch(
      /^download: the (package ended before|other side sent what cannot be read)/,
    );
    expect(failed.cancelled).toEqual([5]);
    expect(failed.cancelledAtServer).toEqual(['loadBppExecutionError']);
  });

  it.each(['00', 'BF3600', 'BF360C04', 'FFFFFFFFFF', 'BF3605BF23020102'])(
    'what is no package, %s: loadBppExecutionError',
    async (bytes) => {
      const failed = await downloads.fail(
        {},
        tampering('getBoundProfilePackage', (answer) => ({ ...answer, boundProfilePackage: unhex(bytes) })),
      );
      expect(failed.failures).toHaveLength(1);
      expect(failed.failures[0]).toMatch(/^download: /);
      expect(failed.cancelled).toEqual([5]);
      expect(failed.cancelledAtServer).toEqual(['loadBppExecutionError']);
    },
  );

  it('the next one works', () => downloads.succeed());
});

it.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s: a download while the Emergency Profile is enabled is ecallActive', async (_way, options) => {
  const downloads = await FailingDownloads.make({ ...options, card: { ecallSupported: true } });
  // The eIM gets to know the device before.
  await downloads.succeed();
  let restore = () => {};
  const failed = await downloads.fail(
    {},
    {
      before: () => {
        restore = cardAnswering(downloads.world, (request) =>
          request[1] === ES10_TAGS.profilesInfo ? 'BF2D 0C A00A E308 9F700101 9F7B01FF' : undefined,
        );
      },
      after: () => restore(),
    },
  );
  expect(failed.outcome).toMatchObject({
    outcome: 'downloadFailed',
    by: 'ipa',
    code: 104,
    name: 'ecallActive',
  });
  expect(failed.failures).toEqual(['download: the Emergency Profile is enabled']);
  // No server was asked for anything.
  expect(downloads.details('smdp', 'sessionStarted', failed.since)).toEqual([]);
  await downloads.succeed();
  await downloads.world.stop();
});
