import { generateKeyPairSync } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AuthenticateServerRequest,
  AuthenticateServerResponse,
  concat,
  decode,
  encode,
  hex,
  PrepareDownloadRequest,
  PrepareDownloadResponse,
  ProfileInstallationResult,
  readElement,
  unhex,
  writeElement,
} from '../../../host-sim/asn1/index.js';
import type { Command, EuiccProperties } from '../../../host-sim/euicc/context.js';
import { executeEs10 } from '../../../host-sim/euicc/es10.js';
import type { RspSession } from '../../../host-sim/euicc/session.js';
import { type EuiccState, factoryState } from '../../../host-sim/euicc/state.js';
import {
  type CiCredentials,
  type Credential,
  makeServerCertificate,
  type Pki,
  parseCertificate,
  subjectKeyId,
} from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { segmentsOf } from '../../../host-sim/rsp/index.js';
import * as ex from './example-smdp.js';
import { type CardDriver, seeds } from './fixture.js';

// What an attacker, or a bad line, may send to the eUICC. Whatever it is: it is refused with the code of the
// specification, and the eUICC is as it was.

let pki: Pki;
let stranger: Pki;
beforeAll(async () => {
  pki = await ex.makeHierarchy();
  stranger = await ex.makeHierarchy(2);
});

const mutations = 1000;
/** For machines that have much else to do. */
const patience = 120_000;
/** Another tag is another function. */
const tagBytes = 2;

/** One to three flipped bits. */
function flipped(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice();
  const flips = 1 + Math.floor(random() * 3);
  const seen = new Set<number>();
  for (let i = 0; i < flips; i++) {
    const bit = Math.floor(random() * 8 * copy.length);
    if (seen.has(bit)) continue;
    seen.add(bit);
    copy[bit >> 3] ^= 0x80 >> (bit & 7);
  }
  return copy;
}

const truncated = (bytes: Uint8Array, random: () => number): Uint8Array =>
  bytes.slice(0, Math.floor(random() * bytes.length));

function oversized(bytes: Uint8Array, random: () => number): Uint8Array {
  const at = Math.floor(random() * (bytes.length + 1));
  const more = Uint8Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * 256));
  return concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}

const ways = { flipped, truncated, oversized };

/** AuthenticateErrorCode, 'ok', or 0 for bytes that were no request. */
function authenticate(driver: CardDriver, request: Uint8Array): number | 'ok' {
  driver.lastSw = 0;
  try {
    const answer = decode(AuthenticateServerResponse, driver.es10(request));
    return answer.authenticateResponseError?.authenticateErrorCode ?? 'ok';
  } catch {
    expect(driver.lastSw).toBe(0x6a80);
    return 0;
  }
}

function prepare(driver: CardDriver, request: Uint8Array): number | 'ok' {
  driver.lastSw = 0;
  try {
    const answer = decode(PrepareDownloadResponse, driver.es10(request));
    return answer.downloadResponseError?.downloadErrorCode ?? 'ok';
  } catch {
    expect(driver.lastSw).toBe(0x6a80);
    return 0;
  }
}

/** A challenge, and the request that answers it. */
function challenged(driver: CardDriver, smdp: ex.ExampleSmdp): Uint8Array {
  return smdp.authenticateServer(driver.es10(unhex('BF2E00')));
}

describe('AuthenticateServer', () => {
  const attempt = (change: Partial<ex.ExampleSmdp['credentials']>, from = pki) => {
    const driver = ex.cardFor(pki);
    const smdp = new ex.ExampleSmdp(from, {}, { ...from.smdps[0], ...change });
    const before = driver.card.state;
    const code = authenticate(driver, challenged(driver, smdp));
    expect(driver.card.state).toEqual(before);
    return code;
  };
  const certificateOf = (
    role: Parameters<typeof makeServerCertificate>[1]['role'],
    more: Partial<Parameters<typeof makeServerCertificate>[1]> = {},
    ci: CiCredentials = pki.ci!,
  ): Credential =>
    makeServerCertificate(ci, { role, address: 'smdp.example.com', oid: '2.999.10', now: ex.now, ...more });

  it('a certificate of another role: invalidCertificate', () => {
    for (const role of ['dpTls', 'dpPb', 'dsTls'] as const)
      expect(attempt({ auth: certificateOf(role) })).toBe(1);
    expect(attempt({ auth: certificateOf('dpAuth') })).toBe('ok');
    expect(attempt({ auth: certificateOf('dsAuth') })).toBe('ok');
    const { privateKey, certificate } = pki.euicc;
    expect(attempt({ auth: { privateKey, certificate } })).toBe(1);
    expect(attempt({ auth: pki.ci! })).toBe(1);
  });

  it('an expired one, or one that is not valid yet: invalidCertificate; without a clock it is not seen', () => {
    const expired = certificateOf('dpAuth', { now: ex.now - 1e11, until: ex.now - 1 });
    const early = certificateOf('dpAuth', { now: ex.now + 10 * 86_400_000 });
    expect(attempt({ auth: expired })).toBe(1);
    expect(attempt({ auth: early })).toBe(1);
    const driver = ex.cardFor(pki, { clock: undefined });
    const smdp = new ex.ExampleSmdp(pki, {}, { ...pki.smdps[0], auth: expired });
    expect(authenticate(driver, challenged(driver, smdp))).toBe('ok');
  });

  it('another hierarchy: ciPKUnknown when it says so, invalidCertificate when it does not', () => {
    const ciKeyId = subjectKeyId(parseCertificate(stranger.ci!.certificate))!;
    expect(ciKeyId).toEqual(stranger.smdps[0].ciKeyId);
    expect(attempt({}, stranger)).toBe(7);
    expect(attempt({ ciKeyId: pki.euicc.ciKeyId }, stranger)).toBe(1);
  });

  it('a forged one, signed by a key with the name of the CI: invalidCertificate', () => {
    const forger = { certificate: pki.ci!.certificate, privateKey: stranger.ci!.privateKey };
    expect(attempt({ auth: certificateOf('dpAuth', {}, forger) })).toBe(1);
  });

  /** The certificate with other fields of its body, signed anew by the CI. */
  const rebuilt = (change: (fields: Uint8Array[]) => Uint8Array[]): Credential => {
    const { certificate, privateKey } = pki.smdps[0].auth;
    const [body, algorithm] = readElement(certificate).children;
    const fields = change(body.children.map((field) => field.bytes));
    const tbs = writeElement(0x30, concat(fields));
    const signature = p256.sign(tbs, pki.ci!.privateKey, { lowS: false, format: 'der' });
    const bits = writeElement(0x03, concat([Uint8Array.of(0), signature]));
    return { privateKey, certificate: writeElement(0x30, concat([tbs, algorithm.bytes, bits])) };
  };

  it('a key on another curve: unsupportedCurve; no OID: invalidOid', () => {
    expect(attempt({ auth: rebuilt((fields) => fields) })).toBe('ok');
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
    expect(attempt({ auth: rebuilt((fields) => fields.map((field, i) => (i === 6 ? spki : field))) })).toBe(
      3,
    );
    const withoutName = (extensions: Uint8Array): Uint8Array => {
      const [list] = readElement(extensions).children;
      const kept = list.children.filter(({ bytes }) => !hex(bytes).includes('0603551D11'));
      expect(kept).toHaveLength(list.children.length - 1);
      return writeElement(0xa3, writeElement(0x30, concat(kept.map(({ bytes }) => bytes))));
    };
    expect(
      attempt({
        auth: rebuilt((fields) => fields.map((field, i) => (i === 7 ? withoutName(field) : field))),
      }),
    ).toBe(5);
  });

  it('the key of somebody else: invalidSignature', () => {
    const { certificate } = pki.smdps[0].auth;
    expect(attempt({ auth: { certificate, privateKey: pki.smdps[1].auth.privateKey } })).toBe(2);
  });

  it('signatures swapped between two sessions: invalidSignature', () => {
    const driver = ex.cardFor(pki);
    const first = decode(AuthenticateServerRequest, challenged(driver, new ex.ExampleSmdp(pki)));
    const second = decode(
      AuthenticateServerRequest,
      challenged(driver, new ex.ExampleSmdp(pki, { transactionId: unhex('77') })),
    );
    const swapped = { ...second, serverSignature1: first.serverSignature1 };
    expect(authenticate(driver, encode(AuthenticateServerRequest, swapped))).toBe(2);
    expect(authenticate(driver, encode(AuthenticateServerRequest, second))).toBe('ok');
  });

  it('a challenge of before, and none: euiccChallengeMismatch, noSessionContext', () => {
    let seed = 0;
    const driver = ex.cardFor(pki, { random: () => ((seed++ * 37) % 251) / 251 });
    const request = challenged(driver, new ex.ExampleSmdp(pki));
    driver.es10(unhex('BF2E00'));
    expect(authenticate(driver, request)).toBe(6);
    const current = challenged(driver, new ex.ExampleSmdp(pki));
    expect(authenticate(driver, current)).toBe('ok');
    expect(authenticate(driver, current)).toBe(6);
    driver.restart();
    driver.bringUp();
    expect(authenticate(driver, current)).toBe(4);
  });

  it.each(Object.keys(ways) as (keyof typeof ways)[])(
    `${mutations} requests, %s`,
    (way) => {
      const driver = ex.cardFor(pki);
      const request = challenged(driver, new ex.ExampleSmdp(pki));
      // ctxParams1 at the end is the terminal's own word: nobody has signed it.
      const { serverCertificate } = decode(AuthenticateServerRequest, request);
      const end = hex(request).indexOf(hex(serverCertificate)) / 2 + serverCertificate.length;
      const before = driver.card.state;
      const random = seeded(3);
      const codes = new Map<number | 'ok', number>();
      for (let i = 0; i < mutations; i++) {
        const changed = ways[way](request.subarray(tagBytes, end), random);
        const code = authenticate(
          driver,
          concat([request.subarray(0, tagBytes), changed, request.subarray(end)]),
        );
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
      expect(codes.get('ok')).toBeUndefined();
      expect([...codes.keys()].every((code) => [0, 1, 2, 3, 5, 6, 7].includes(code as number))).toBe(true);
      expect(driver.card.state).toEqual(before);
      // None of it did any harm.
      expect(authenticate(driver, request)).toBe('ok');
    },
    patience,
  );
});

describe('PrepareDownload', () => {
  function authenticated(smdp: ex.ExampleSmdp, driver = ex.cardFor(pki)) {
    return { driver, answer: driver.es10(challenged(driver, smdp)) };
  }

  it('a certificate of another SM-DP+, role or hierarchy: invalidCertificate', () => {
    const names = { address: 'smdp.example.com', oid: '2.999.10', now: ex.now };
    const [own, other] = pki.smdps;
    const forger = { certificate: pki.ci!.certificate, privateKey: stranger.ci!.privateKey };
    const bad: Credential[] = [
      other.pb,
      own.auth,
      own.tls,
      stranger.smdps[0].pb,
      makeServerCertificate(forger, { ...names, role: 'dpPb' }),
      makeServerCertificate(pki.ci!, { ...names, role: 'dpPb', now: ex.now - 1e11, until: ex.now - 1 }),
    ];
    for (const pb of bad) {
      const smdp = new ex.ExampleSmdp(pki, {}, { ...own, pb });
      const { driver, answer } = authenticated(smdp);
      const before = driver.card.state;
      expect(prepare(driver, smdp.prepareDownload(answer))).toBe(1);
      expect(driver.card.state).toEqual(before);
    }
  });

  it('another key, transaction or session: invalidSignature, invalidTransactionId, noSessionContext', () => {
    const [own, other] = pki.smdps;
    const mixed = { certificate: own.pb.certificate, privateKey: other.pb.privateKey };
    const forged = new ex.ExampleSmdp(pki, {}, { ...own, pb: mixed });
    const first = authenticated(forged);
    expect(prepare(first.driver, forged.prepareDownload(first.answer))).toBe(2);

    const smdp = new ex.ExampleSmdp(pki);
    const second = authenticated(smdp);
    expect(prepare(second.driver, smdp.prepareDownload(second.answer, { transactionId: unhex('55') }))).toBe(
      5,
    );
    const good = smdp.prepareDownload(second.answer);
    expect(prepare(second.driver, good)).toBe('ok');

    // The same signature does not do for another session: it covers euiccSignature1.
    const later = authenticated(new ex.ExampleSmdp(pki, { matchingId: 'X' }));
    expect(prepare(later.driver, good)).toBe(2);
    later.driver.restart();
    later.driver.bringUp();
    expect(prepare(later.driver, good)).toBe(4);
  });

  it.each(Object.keys(ways) as (keyof typeof ways)[])(
    `${mutations} requests, %s`,
    (way) => {
      const smdp = new ex.ExampleSmdp(pki);
      const { driver, answer } = authenticated(smdp);
      const request = smdp.prepareDownload(answer);
      expect(decode(PrepareDownloadRequest, request).hashCc).toBeUndefined();
      const before = driver.card.state;
      const random = seeded(4);
      for (let i = 0; i < mutations; i++) {
        const changed = ways[way](request.subarray(tagBytes), random);
        const code = prepare(driver, concat([request.subarray(0, tagBytes), changed]));
        expect([0, 1, 2, 3, 5]).toContain(code);
      }
      expect(driver.card.state).toEqual(before);
      expect(prepare(driver, request)).toBe('ok');
    },
    patience,
  );
});

describe('LoadBoundProfilePackage', () => {
  /** The functions of the card alone: a session is made once and copied for every mutation. */
  class Bench {
    readonly card: EuiccProperties;
    readonly #state: EuiccState;
    readonly session: RspSession = {};

    constructor() {
      this.card = {
        kind: 'iot',
        credentials: pki.euicc,
        ciCertificates: pki.ciCertificates,
        ciKeyIds: [pki.euicc.ciKeyId],
        es10c: false,
        fallbackSupported: true,
        ecallSupported: false,
        resultCapacity: 20,
        maxResultBytes: 8192,
        memoryBytes: 1_048_576,
        profileClasses: [0, 1, 2],
        forbiddenPolicyRules: [],
        rat: [],
        maxEims: 8,
        maxCounterValue: 0x7fffff,
        random: seeded(9),
      };
      this.#state = factoryState(seeds, { defaultDpAddress: '', rootDsAddress: 'ds.example' });
    }

    get state(): EuiccState {
      return structuredClone(this.#state);
    }

    command(session: RspSession, state: EuiccState): Command {
      return { card: this.card, state, session, toolkit: false, changed: false, refresh: false, events: [] };
    }

    es10(bytes: Uint8Array): Uint8Array {
      return answerOf(executeEs10(this.command(this.session, this.state), bytes));
    }
  }

  const answerOf = (answer: Uint8Array | number): Uint8Array =>
    typeof answer === 'number' ? Uint8Array.of(answer >> 8, answer & 255) : answer;

  it.each(Object.keys(ways) as (keyof typeof ways)[])(
    `${mutations} packages, %s`,
    (way) => {
      const bench = new Bench();
      const chains = segmentsOf(ex.upToPackage(bench, new ex.ExampleSmdp(pki)));
      const random = seeded(5);
      const before = bench.state;
      const reasons = new Map<string, number>();
      for (let i = 0; i < mutations; i++) {
        const target = Math.floor(random() * chains.length);
        const sent = chains.map((chain, at) => (at === target ? ways[way](chain, random) : chain));
        const session = { ...bench.session };
        const state = bench.state;
        let answer: Uint8Array | number = 0;
        for (const chain of sent) {
          if (chain.length === 0) continue;
          answer = executeEs10(bench.command(session, state), chain);
          if (typeof answer === 'number' || answer.length > 0) break;
        }
        // A lost tag is another function, or none; nothing has come to an end then, and a reset tells of it.
        let reason = 'open';
        if (typeof answer !== 'number' && answer.length > 0) {
          const { errorResult } = decode(ProfileInstallationResult, answer).profileInstallationResultData
            .value.finalResult;
          reason = `${errorResult?.bppCommandId}/${errorResult?.errorReason}`;
          expect(errorResult).toBeDefined();
          expect([1, 2, 3, 4, 5, 7, 8]).toContain(errorResult?.errorReason);
          expect(session).toEqual({});
          expect(state.installing).toBeUndefined();
          expect(state.notifications).toHaveLength(1);
        }
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        expect(state.profiles).toEqual(before.profiles);
        expect(state.nextIsdp).toBe(before.nextIsdp);
        expect(state.oneTimeKeys).toEqual(before.oneTimeKeys);
        expect(state.eims).toEqual(before.eims);
      }
      expect(reasons.size).toBeGreaterThan(4);
      // The package itself is good.
      const session = { ...bench.session };
      const state = bench.state;
      let last: Uint8Array | number = 0;
      for (const chain of chains) last = executeEs10(bench.command(session, state), chain);
      expect(
        decode(ProfileInstallationResult, answerOf(last)).profileInstallationResultData.value.finalResult
          .successResult,
      ).toBeDefined();
      expect(state.profiles).toHaveLength(before.profiles.length + 1);
    },
    patience,
  );

  it('a package for another session or another eUICC is refused', () => {
    const first = ex.cardFor(pki);
    const old = ex.upToPackage(first, new ex.ExampleSmdp(pki));
    const second = ex.cardFor(pki, { random: seeded(77) });
    ex.upToPackage(second, new ex.ExampleSmdp(pki));
    const outcome = decode(ProfileInstallationResult, ex.load(second, old)).profileInstallationResultData
      .value;
    expect(outcome.finalResult.errorResult).toEqual({ bppCommandId: 0, errorReason: 2 });
    expect(second.card.profiles).toHaveLength(4);
  });
});
