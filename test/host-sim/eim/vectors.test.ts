import { describe, expect, it } from 'vitest';
import { hex, unhex } from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { Eim } from '../../../host-sim/eim/index.js';
import { makePki, publicPoint, spkiOfPoint } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import { MemoryStore } from '../../../host-sim/store.js';
import * as v from '../asn1/vectors.js';
import { FakeDevice, readPoll } from './fake-device.js';

const eid = hex(v.eid);
const link = { link: 'https' };

/** The hierarchy of makePki, with the eUICC's key of the vectors: the third key that is drawn. */
function vectorPki() {
  const other = seeded(1);
  const start = 2 * (32 + 8);
  let drawn = 0;
  const random = () => {
    const at = drawn++ - start;
    return at >= 0 && at < 32 ? v.euiccPrivateKey[at] / 256 : other();
  };
  const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;
  return makePki({ eid, eims, now: Date.UTC(2026, 0, 1), random });
}

/** An eIM with the key of the vectors, whose next package has counter 42 and transaction 00 01 … 0F. */
async function setUp(token: number | undefined) {
  const pki = await vectorPki();
  const publicKey = spkiOfPoint(publicPoint(v.eimPrivateKey));
  let drawn = 0;
  const eim = new Eim({
    credentials: { ...pki.eims[0], privateKey: v.eimPrivateKey, publicKey },
    ciCertificates: pki.ciCertificates,
    store: new MemoryStore(),
    clock: new VirtualClock(),
    random: () => (drawn++ % 16) / 256,
    transactionIdLength: 16,
  });
  eim.setCounter(eid, 41);
  const device = new FakeDevice(pki, token);
  const question = readPoll(eim.handle(device.poll(), link)).ipaEuiccDataRequest!;
  eim.handle(device.deliver({ ipaEuiccDataResponse: device.data(question) }), link);
  const outcome = eim.queue(eid, { psmo: [{ op: 'enable', iccid: '89000123456789012341', rollback: true }] });
  return { eim, device, outcome, answer: hex(eim.handle(device.poll(), link)!) };
}

describe('the vectors of crypto.md §7.1 and esipa.md §2.2', () => {
  const provide = (result: Uint8Array) => unhex(`BF50818A5A10${eid}${hex(result)}`);

  it('the package, as poll answer, is the same byte for byte', async () => {
    const { answer } = await setUp(undefined);
    expect(answer).toBe(`BF4F8193${hex(v.euiccPackageRequest)}`);
  });

  it('with token 200 only the signature differs', async () => {
    const { answer } = await setUp(200);
    expect(answer).toBe(`BF4F8193BF51818F${hex(v.euiccPackageSigned)}5F3740${hex(v.eimSignatureToken200)}`);
  });

  it('the result is verified and acknowledged', async () => {
    const { eim, outcome } = await setUp(undefined);
    expect(hex(eim.handle(provide(v.euiccPackageResult), link)!)).toBe('BF5006BF5303800107');
    expect(await outcome).toMatchObject({
      outcome: 'verified',
      ok: true,
      counterValue: 42,
      eimTransactionId: hex(v.txid),
      seqNumber: 7,
      results: [{ op: 'enable', code: 0, name: 'ok' }],
    });
  });

  it('the result with one bit changed is not', async () => {
    const { eim } = await setUp(undefined);
    const changed = provide(v.euiccPackageResult);
    changed[changed.length - 1] ^= 1;
    expect(hex(eim.handle(changed, link)!)).toBe('BF50023000');
  });

  it('the unsigned error', async () => {
    const { eim, outcome } = await setUp(undefined);
    expect(hex(eim.handle(unhex(`BF503A5A10${eid}${hex(v.unsignedError)}`), link)!)).toBe('BF50023000');
    expect(await outcome).toMatchObject({ outcome: 'refused', by: 'euiccUnsigned' });
  });

  it('the error of an IPA that does not know the package', async () => {
    const { eim, outcome } = await setUp(undefined);
    expect(hex(eim.handle(unhex(`BF50295A10${eid}A0158010${hex(v.txid)}020102`), link)!)).toBe('BF50023000');
    expect(await outcome).toMatchObject({ outcome: 'refused', by: 'ipa', name: 'unknownPackage' });
  });
});
