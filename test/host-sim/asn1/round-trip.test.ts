import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import * as m from '../../../host-sim/asn1/index.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const iccid = bytes(10);
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const eimId = fc
  .string({ minLength: 1, maxLength: 128 })
  .filter((s) => new TextEncoder().encode(s).length <= 128);
const txid = fc.uint8Array({ minLength: 1, maxLength: 16 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const flag = fc.constant(true as const);

const psmo: fc.Arbitrary<m.Psmo> = fc.oneof(
  fc.record({ iccid, rollbackFlag: maybe(flag) }).map((enable): m.Psmo => ({ enable })),
  fc.record({ iccid }).map((disable): m.Psmo => ({ disable })),
  fc.record({ iccid }).map((value): m.Psmo => ({ delete: value })),
  fc
    .record({
      searchCriteria: maybe(iccid.map((value) => ({ iccid: value }))),
      tagList: maybe(fc.constant<number[]>([0x5a, 0x9f70])),
    })
    .map((listProfileInfo): m.Psmo => ({ listProfileInfo })),
  fc
    .record({
      immediateEnableFlag: maybe(flag),
      defaultSmdpOid: maybe(fc.constant('2.999.10')),
      defaultSmdpAddress: maybe(text),
    })
    .map((configureImmediateEnable): m.Psmo => ({ configureImmediateEnable })),
  text.map((defaultDpAddress): m.Psmo => ({ setDefaultDpAddress: { defaultDpAddress } })),
);

const eimConfiguration: fc.Arbitrary<m.EimConfigurationData> = fc.record({
  eimId,
  eimFqdn: maybe(text),
  eimIdType: maybe(fc.constantFrom(1, 2, 3)),
  counterValue: maybe(fc.nat()),
  associationToken: maybe(fc.integer()),
  eimSupportedProtocol: maybe(fc.subarray([...m.ProtocolNames])),
  euiccCiPKId: maybe(bytes(20)),
  indirectProfileDownload: maybe(flag),
});

type Contents = m.EuiccPackageSigned['euiccPackage'];

const signed: fc.Arbitrary<m.EuiccPackageSigned> = fc.record({
  eimId,
  eidValue: bytes(16),
  counterValue: fc.nat(),
  eimTransactionId: maybe(txid),
  euiccPackage: fc.oneof(
    fc.array(psmo, { maxLength: 6 }).map((psmoList): Contents => ({ psmoList })),
    fc
      .array(
        eimConfiguration.map((addEim): m.Eco => ({ addEim })),
        { maxLength: 4 },
      )
      .map((ecoList): Contents => ({ ecoList })),
  ),
});

/** Optional parts that are undefined and parts that are absent mean the same. */
const bare = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, part) => (part instanceof Uint8Array ? m.hex(part) : part)));

it('a package survives encoding and decoding', () => {
  fc.assert(
    fc.property(signed, (value) => {
      const once = m.toSign(m.EuiccPackageSigned, value);
      const request = m.encode(m.EuiccPackageRequest, {
        euiccPackageSigned: once,
        eimSignature: new Uint8Array(64),
      });
      const read = m.decode(m.EuiccPackageRequest, request).euiccPackageSigned;
      expect(m.hex(read.bytes)).toBe(m.hex(once.bytes));
      expect(bare(read.value)).toEqual(bare(value));
      expect(m.describe(request, 'toIpa').name).toBe('EuiccPackageRequest');
    }),
    { numRuns: 300 },
  );
});

it('bits and their names', () => {
  fc.assert(
    fc.property(
      fc.subarray([...m.IpaFeatureNames]),
      fc.subarray([...m.NotificationEventNames]),
      (features, events) => {
        const capabilities = { ipaFeatures: features };
        expect(m.decode(m.IpaCapabilities, m.encode(m.IpaCapabilities, capabilities))).toEqual(capabilities);
        expect(m.decode(m.NotificationEvent, m.encode(m.NotificationEvent, events))).toEqual(events);
      },
    ),
  );
  expect(m.hex(m.encode(m.NotificationEvent, []))).toBe('030100');
});
