import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeServerCertificate } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { FailingDownloads } from '../../support/failing.js';
import { SMDP } from '../../support/world.js';

// A hostile SM-DP+, or a bad way to it, through the whole chain: the eUICC refuses, the IPA ends the session, everybody is
// told, and the device is as it was. The thousand mutations of each message are in test/host-sim/euicc/attack.test.ts.

const MUTATIONS = 30;

type Bytes = Record<string, unknown>;

describe.each([
  ['direct', { direct: true }],
  ['indirect', {}],
] as const)('%s', (_way, options) => {
  let downloads: FailingDownloads;
  beforeAll(async () => {
    downloads = await FailingDownloads.make(options);
  });
  afterAll(() => downloads.world.stop());

  /** The SM-DP+ answers this function with something changed. */
  function changing(called: string, change: (answer: Bytes) => Bytes) {
    const smdp = downloads.world.smdp as unknown as Record<string, (request: unknown) => Bytes>;
    const original = smdp[called].bind(smdp);
    return {
      before: () => {
        smdp[called] = (request) => change(original(request));
      },
      after: () => {
        smdp[called] = original;
      },
    };
  }

  it.each(['dpTls', 'dpPb', 'dsTls'] as const)(
    'CERT.DPauth of the role %s: invalidCertificate',
    async (role) => {
      const { ci } = downloads.world.pki;
      const { certificate } = makeServerCertificate(ci!, { role, address: SMDP, oid: '2.999.10', now: 0 });
      const failed = await downloads.fail(
        {},
        changing('initiateAuthentication', (answer) => ({ ...answer, serverCertificate: certificate })),
      );
      expect(failed.failures).toEqual(['download: the eUICC refused the server with 1']);
      expect(failed.outcome).toMatchObject({ errorResponse: '020101' });
      expect(failed.refused).toEqual(['authenticateClient 8.1/4.2']);
    },
  );

  it.each(['dpTls', 'dpAuth', 'dsAuth'] as const)(
    'CERT.DPpb of the role %s: invalidCertificate',
    async (role) => {
      const { ci } = downloads.world.pki;
      const { certificate } = makeServerCertificate(ci!, { role, address: SMDP, oid: '2.999.10', now: 0 });
      const failed = await downloads.fail(
        {},
        changing('authenticateClient', (answer) => ({ ...answer, smdpCertificate: certificate })),
      );
      expect(failed.failures).toEqual(['download: the eUICC refused the server with 1']);
      expect(failed.outcome).toMatchObject({ errorResponse: '020101' });
      expect(failed.refused).toEqual(['getBoundProfilePackage 8.1/4.2']);
      expect(failed.cancelled).toEqual([127]);
    },
  );

  it.each([
    ['initiateAuthentication', 'serverSignature1', 'authenticateClient 8.1/4.2'],
    ['authenticateClient', 'smdpSignature2', 'getBoundProfilePackage 8.1/4.2'],
  ])('a signature of %s that is of something else: invalidSignature', async (called, member, status) => {
    let last: unknown;
    const keep = (answer: Bytes) => {
      const { [member]: present } = answer;
      const changed = last === undefined ? answer : { ...answer, [member]: last };
      last = present;
      return changed;
    };
    const tap = changing(called, keep);
    tap.before();
    await downloads.succeed();
    const failed = await downloads.fail({}, { after: tap.after });
    expect(failed.failures).toEqual(['download: the eUICC refused the server with 2']);
    expect(failed.refused).toEqual([status]);
  });

  it('the answer to another session, whole: nobody takes it', async () => {
    let last: Bytes | undefined;
    const tap = changing('initiateAuthentication', (answer) => {
      const given = last ?? answer;
      last = answer;
      return given;
    });
    tap.before();
    await downloads.succeed();
    const failed = await downloads.fail({}, { after: tap.after });
    // The session that the answer names is over at the server, too.
    expect(failed.failures).toHaveLength(2);
    expect(failed.failures[0]).toMatch(/^CancelSession: /);
    expect(failed.failures[1]).toBe('download: serverSigned1 does not repeat the challenge of this session');
  });

  it(`${MUTATIONS} packages with a flipped bit, cut off, or too long`, async () => {
    const random = seeded(6);
    const before = downloads.world.euicc.profiles.length;
    for (let i = 0; i < MUTATIONS; i++) {
      const failed = await downloads.fail(
        {},
        changing('getBoundProfilePackage', (answer) => {
          const bytes = (answer.boundProfilePackage as Uint8Array).slice();
          const at = Math.floor(random() * bytes.length);
          if (i % 3 === 0) bytes[at] ^= 1 << Math.floor(random() * 8);
          const extra = Uint8Array.from({ length: 20 }, () => Math.floor(random() * 256));
          const changed =
            i % 3 === 0
              ? bytes
              : i % 3 === 1
                ? bytes.slice(0, at)
                : Uint8Array.from([...bytes.subarray(0, at), ...extra, ...bytes.subarray(at)]);
          return { ...answer, boundProfilePackage: changed };
        }),
      );
      expect(failed.outcome, `mutation ${i}`).toMatchObject({ outcome: 'downloadFailed', ok: false });
      expect(failed.failures.length, `mutation ${i}`).toBeGreaterThan(0);
    }
    expect(downloads.world.euicc.profiles).toHaveLength(before);
    await downloads.succeed();
  }, 60_000);
});
