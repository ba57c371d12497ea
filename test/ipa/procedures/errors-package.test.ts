import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decode,
  EuiccPackageRequest,
  EuiccPackageResult,
  type EuiccResultData,
  hex,
} from '../../../host-sim/asn1/index.js';
import type { EcoOrder, PsmoOrder } from '../../../host-sim/eim/index.js';
import { FakeDevice } from '../../host-sim/eim/fake-device.js';
import { cardAnswering } from '../../support/card.js';
import { ALPHA, BETA, World } from '../../support/world.js';

// Every result code of PSMOs and eCOs and every EuiccPackageErrorCode (esipa.md §5.4), signed by the eUICC, each once
// through the whole chain: the eIM gets it as it is and believes it, the profile stays, nothing is left behind, the next
// package works.

let world: World;
let device: FakeDevice;
beforeAll(async () => {
  world = await World.idle();
  device = new FakeDevice(world.pki, world.euicc.eims[0].associationToken);
  // Far above what the eUICC itself gives out.
  device.seqNumber = 5_000;
});
afterAll(() => world.stop());

type Package = ReturnType<typeof EuiccPackageRequest.read>;

/** Sends the order; the eUICC answers the package with what is given. */
async function answered(
  order: Parameters<World['order']>[0],
  answer: (request: Package) => EuiccPackageResult | number,
) {
  const profiles = world.euicc.profiles;
  const since = world.events.length;
  const restore = cardAnswering(world, (request) => {
    if (request[0] !== 0xbf || request[1] !== 0x51) return undefined;
    const given = answer(decode(EuiccPackageRequest, request));
    return typeof given === 'number' ? given : EuiccPackageResult.write(given);
  });
  const outcome = await world.order(order);
  restore();
  expect(world.euicc.profiles).toEqual(profiles);
  expect(world.euicc.results).toEqual([]);
  expect(world.of('state', since).some(({ state }) => state === 'switching')).toBe(false);
  return { outcome, failures: world.of('failure', since).map(({ where }) => where) };
}

const iccid = BETA;
const eim = () => ({
  eimId: 'new.example.com',
  counterValue: 1,
  certificate: hex(world.pki.eims[1].certificate),
});

const psmo: readonly (readonly [PsmoOrder, readonly number[], (code: number) => EuiccResultData])[] = [
  [{ op: 'enable', iccid }, [1, 2, 3, 5, 20, 127], (enableResult) => ({ enableResult })],
  [{ op: 'disable', iccid }, [1, 2, 3, 5, 127], (disableResult) => ({ disableResult })],
  [{ op: 'delete', iccid }, [1, 2, 3, 20, 21, 127], (deleteResult) => ({ deleteResult })],
  [
    { op: 'listProfileInfo' },
    [1, 11, 127],
    (profileInfoListError) => ({ listProfileInfoResult: { profileInfoListError } }),
  ],
  [
    { op: 'configureImmediateEnable' },
    [1, 7, 127],
    (configureImmediateEnableResult) => ({ configureImmediateEnableResult }),
  ],
  [
    { op: 'setFallbackAttribute', iccid },
    [1, 2, 3, 127],
    (setFallbackAttributeResult) => ({ setFallbackAttributeResult }),
  ],
  [
    { op: 'unsetFallbackAttribute' },
    [2, 3, 7, 127],
    (unsetFallbackAttributeResult) => ({ unsetFallbackAttributeResult }),
  ],
  [
    { op: 'setDefaultDpAddress', address: 'smdp.example.com' },
    [127],
    (code) => ({ setDefaultDpAddressResult: { setDefaultDpAddressResult: code } }),
  ],
  [{ op: 'getRAT' }, [1, 2, 3, 127], (processingTerminated) => ({ processingTerminated })],
];

describe.each(psmo)('PSMO %j', (operation, codes, result) => {
  it.each(codes)('%i', async (code) => {
    const { outcome, failures } = await answered({ psmo: [operation] }, (request) =>
      device.execute(request, [result(code)]),
    );
    expect(outcome).toMatchObject({ outcome: 'verified', ok: false, results: [{ ok: false, code }] });
    expect(failures).toEqual([]);
  });
});

const eco: readonly (readonly [
  EcoOrder['op'],
  () => EcoOrder,
  readonly number[],
  (code: number) => EuiccResultData,
])[] = [
  [
    'addEim',
    () => ({ op: 'addEim', eim: eim() }),
    [1, 2, 3, 5, 6, 7, 127],
    (addEimResultCode) => ({ addEimResult: { addEimResultCode } }),
  ],
  [
    'deleteEim',
    () => ({ op: 'deleteEim', eimId: 'new.example.com' }),
    [1, 7, 127],
    (deleteEimResult) => ({ deleteEimResult }),
  ],
  [
    'updateEim',
    () => ({ op: 'updateEim', eim: eim() }),
    [1, 3, 6, 7, 127],
    (updateEimResult) => ({ updateEimResult }),
  ],
  ['listEim', () => ({ op: 'listEim' }), [7, 127], (listEimError) => ({ listEimResult: { listEimError } })],
];

describe.each(eco)('eCO %s', (_name, operation, codes, result) => {
  it.each(codes)('%i', async (code) => {
    const { outcome, failures } = await answered({ eco: [operation()] }, (request) =>
      device.execute(request, [result(code)]),
    );
    expect(outcome).toMatchObject({ outcome: 'verified', ok: false, results: [{ ok: false, code }] });
    expect(failures).toEqual([]);
  });
});

it.each([3, 6, 15, 104, 127])('EuiccPackageErrorCode %i, signed', async (code) => {
  const { outcome, failures } = await answered({ psmo: [{ op: 'enable', iccid }] }, (request) =>
    device.error(request, code),
  );
  expect(outcome).toMatchObject({ outcome: 'refused', ok: false, by: 'euicc', code });
  expect(failures).toEqual([]);
});

it('replayError: the eIM looks for the result that got lost, and sends the next package', async () => {
  const { outcome } = await answered({ psmo: [{ op: 'enable', iccid }] }, (request) =>
    device.error(request, 4),
  );
  expect(outcome).toMatchObject({ outcome: 'refused', ok: false, by: 'euicc', code: 4 });
});

it('errorUnsigned', async () => {
  const { outcome } = await answered({ psmo: [{ op: 'enable', iccid }] }, (request) => {
    const { eimId, eimTransactionId } = request.euiccPackageSigned.value;
    return { euiccPackageErrorUnsigned: { eimId, eimTransactionId } };
  });
  expect(outcome).toMatchObject({ outcome: 'refused', ok: false, by: 'euiccUnsigned' });
});

it.each([
  [0x6a80, 1],
  [0x6a88, 2],
  [0x6f00, 127],
])('status word %i is eimPackageResultResponseError %i', async (sw, code) => {
  const { outcome, failures } = await answered({ psmo: [{ op: 'enable', iccid }] }, () => sw);
  expect(outcome).toMatchObject({ outcome: 'refused', ok: false, by: 'ipa', code });
  expect(failures).toHaveLength(1);
});

it('the next one works', async () => {
  expect(await world.order({ psmo: [{ op: 'enable', iccid: BETA }] })).toMatchObject({ ok: true });
  expect(world.enabled).toBe(BETA);
  expect(await world.order({ psmo: [{ op: 'enable', iccid: ALPHA }] })).toMatchObject({ ok: true });
});
