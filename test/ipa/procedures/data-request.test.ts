import { describe, expect, it } from 'vitest';
import {
  decode,
  hex,
  type IpaEuiccDataResponse,
  ProvideEimPackageResult,
  readElement,
} from '../../../host-sim/asn1/index.js';
import { cardAnswering, ES10_TAGS } from '../../support/card.js';
import { inEnvelope, NO_PACKAGE, script } from '../../support/scripted-eim.js';
import { BETA, World, type WorldOptions } from '../../support/world.js';

const TXID = '0102030405060708090A0B0C0D0E0F10';

/** Sends BF52 {body} and gives the decoded answer. */
async function ask(world: World, body: string): Promise<IpaEuiccDataResponse | undefined> {
  const bytes = Buffer.from(body.replaceAll(' ', ''), 'hex');
  const request = `BF52${bytes.length < 0x80 ? '' : '81'}${bytes.length.toString(16).padStart(2, '0')}${bytes.toString('hex')}`;
  const taken = script(world.eim, {
    BF4F: [inEnvelope('BF4F', request), NO_PACKAGE],
    BF50: ['BF50023000'],
    BF3D: ['BF4E03BF5300'],
  });
  world.ipad.poll();
  await world.until(() => taken.filter(([, tag]) => tag === 0x4f).length === 2, 'the second poll');
  await world.untilState('idle');
  world.eim.instead = undefined;
  for (const message of taken) {
    if (message[1] !== 0x50) continue;
    const { ipaEuiccDataResponse } = decode(ProvideEimPackageResult, message).eimPackageResult;
    if (ipaEuiccDataResponse) return ipaEuiccDataResponse;
  }
  return undefined;
}

async function answers(body: string, options: WorldOptions = {}) {
  const world = await World.idle(options);
  const answer = await ask(world, body);
  await world.stop();
  return { world, data: answer?.ipaEuiccData, error: answer?.ipaEuiccDataResponseError };
}

describe('data request', () => {
  it('gives every object, in order', async () => {
    const { world, data } = await answers(`5C0D A081A2BF20BF228384A5A6A8A9 8310${TXID}`);
    expect(
      Object.keys(data!)
        .filter((key) => data![key as keyof typeof data] !== undefined)
        .sort(),
    ).toEqual(
      [
        'notificationsList',
        'defaultSmdpAddress',
        'euiccPackageResultList',
        'euiccInfo1',
        'euiccInfo2',
        'rootSmdsAddress',
        'associationToken',
        'eumCertificate',
        'euiccCertificate',
        'eimTransactionId',
        'ipaCapabilities',
        'deviceInfo',
      ].sort(),
    );
    expect(data).toMatchObject({
      defaultSmdpAddress: 'smdp.alpha.example',
      rootSmdsAddress: 'lpa.ds.example',
      associationToken: 1,
      notificationsList: [],
      euiccPackageResultList: [],
    });
    expect(hex(data!.eimTransactionId!)).toBe(TXID);
    expect(data!.euiccCertificate).toEqual(world.pki.euicc.certificate);
    expect(data!.eumCertificate).toEqual(world.pki.euicc.eumCertificate);
    const sent = world.broker.published.filter(({ payload }) => payload[1] === 0x50);
    const [, response] = readElement(sent[sent.length - 1].payload).children;
    const objects = response.children[0].children;
    const tags = objects.map(({ tag }) => tag);
    expect(tags).toEqual([0xa0, 0x81, 0xa2, 0xbf20, 0xbf22, 0x83, 0x84, 0xa5, 0xa6, 0x87, 0xa8, 0xa9]);
    const last = (n: number) => hex(objects[objects.length - n].content);
    // Indirect downloads, with ctxParams1 of the eIM where it makes them; MQTT is the proprietary protocol, bit 4.
    expect(last(2)).toBe('8002045081020308');
    // IMEI 352906112345675 as TBCD, its first eight digits as TAC.
    expect(last(1)).toBe('800453926011A100820853926011325476F5');
  });

  it.each(['81', '83', '84', 'A8', 'BF20', 'BF22', 'A5', 'A6', 'A9', 'A0', 'A2'])(
    'gives %s alone',
    async (tag) => {
      const { data } = await answers(`5C0${tag.length / 2}${tag}`);
      const given = Object.values(data!).filter((value) => value !== undefined);
      expect(given).toHaveLength(1);
    },
  );

  it('takes the tags of v1.0 for the same objects', async () => {
    const { data } = await answers('5C04 80 88 BF2B');
    expect(data).toMatchObject({
      defaultSmdpAddress: 'smdp.alpha.example',
      notificationsList: [],
      euiccPackageResultList: [],
    });
    expect(data!.ipaCapabilities).toBeDefined();
  });

  it.each(['5A', 'BF2D', 'A1', 'BF', '8400', '9F8101'])('refuses tag %s', async (tag) => {
    const { error } = await answers(`5C0${tag.length / 2 + 1}81${tag} 8310${TXID}`);
    expect(error?.ipaEuiccDataErrorCode).toBe(1);
    expect(hex(error!.eimTransactionId!)).toBe(TXID);
  });

  describe('key id', () => {
    const forms: [string, (id: string) => string][] = [
      ['whole', (id) => `0414${id}`],
      ['truncated', (id) => `0404${id.slice(0, 8)}`],
      ['as a TLV', (id) => `0416 0414${id}`],
    ];
    it.each(forms)('%s', async (_form, coded) => {
      const world = await World.idle();
      const id = hex(world.pki.euicc.ciKeyId);
      const answer = await ask(world, `5C02A5A6 ${coded(id)}`);
      expect(answer?.ipaEuiccData?.euiccCertificate).toEqual(world.pki.euicc.certificate);
      await world.stop();
    });

    it('unknown', async () => {
      const { error } = await answers(`5C01A6 0414${'77'.repeat(20)}`);
      expect(error?.ipaEuiccDataErrorCode).toBe(5);
    });

    it('longer than any', async () => {
      const { error } = await answers(`5C01A6 0418${'77'.repeat(24)}`);
      expect(error?.ipaEuiccDataErrorCode).toBe(5);
    });
  });

  it('says ecallActive while the Emergency Profile is enabled, whatever is asked', async () => {
    for (const tags of ['5C0181', '5C015A']) {
      const world = await World.make({ card: { ecallSupported: true } });
      world.startIpa();
      await world.untilState('idle');
      cardAnswering(world, (request) =>
        request[1] === ES10_TAGS.profilesInfo ? 'BF2D 0C A00A E308 9F700101 9F7B01FF' : undefined,
      );
      expect((await ask(world, tags))?.ipaEuiccDataResponseError?.ipaEuiccDataErrorCode).toBe(104);
      await world.stop();
    }
  });

  it('says undefinedError when the answer is too long, and goes on', async () => {
    const { world, error } = await answers(`5C02A5A6 8310${TXID}`, { settings: { messageLimit: 700 } });
    expect(error?.ipaEuiccDataErrorCode).toBe(127);
    expect(world.of('failure').some(({ where }) => where === 'device')).toBe(false);
  });

  it.each([0x6a88, 0x6f00])('says undefinedError when the card refuses with %i', async (sw) => {
    const world = await World.idle();
    cardAnswering(world, (request) => (request[1] === 0x3c ? sw : undefined));
    const answer = await ask(world, `5C0183 8310${TXID}`);
    expect(answer?.ipaEuiccDataResponseError?.ipaEuiccDataErrorCode).toBe(127);
    expect(world.of('state').some(({ state }) => state === 'recovering')).toBe(false);
    await world.stop();
  });

  it('collects again when the channel was lost in the middle', async () => {
    const world = await World.idle({
      faults: [
        {
          apdu: (_n, apdu) => apdu[1] === 0xe2 && apdu[6] === 0x56,
          command: (n) => n > 0,
          times: 2,
          action: { kind: 'statusWord', sw: 0x6881 },
        },
      ],
    });
    const answer = await ask(world, '5C03 81A5A6');
    expect(answer?.ipaEuiccData?.euiccCertificate).toEqual(world.pki.euicc.certificate);
    await world.stop();
  });

  it('filters notifications and results, and removes what the eIM acknowledges', async () => {
    const world = await World.idle();
    world.eim.stop();
    // Somebody else has switched: two notifications and a result wait.
    const outcome = world.eim.order({ psmo: [{ op: 'enable', iccid: BETA }] });
    void outcome;
    world.eim.start();
    world.eim.instead = (payload) => {
      // The result is refused, so that everything stays.
      if (payload[1] === 0x50) return Uint8Array.of(0xbf, 0x50, 3, 2, 1, 127);
      if (payload[1] === 0x3d) return Uint8Array.from(Buffer.from('BF4E03BF5300', 'hex'));
      return world.eim.eim.handle(payload, {
        eid: Buffer.from(world.ipad.eid).toString('hex'),
        link: 'mqtt',
      });
    };
    world.ipad.poll();
    await world.until(() => world.euicc.results.length === 1 && world.ipad.state === 'idle', 'the switch');
    world.eim.instead = undefined;
    const [{ seqNumber: result }] = world.euicc.results;
    const [disable, enable] = world.euicc.notifications.map(({ seqNumber }) => seqNumber);
    const seq = (n: number) => n.toString(16).padStart(2, '0');
    const one = await ask(world, `5C02A0A2 A1038001${seq(enable)} A2038001${seq(result)}`);
    expect(one?.ipaEuiccData?.notificationsList).toHaveLength(1);
    expect(one?.ipaEuiccData?.euiccPackageResultList).toHaveLength(1);
    const none = await ask(world, `5C02A0A2 A1038001${seq(disable + 50)} A2038001${seq(result + 50)}`);
    expect(none?.ipaEuiccData).toMatchObject({ notificationsList: [], euiccPackageResultList: [] });
    // The real eIM asks for all and acknowledges all.
    const all = await world.order({ data: { tags: ['notifications', 'packageResults'] } });
    expect(all).toMatchObject({ outcome: 'data' });
    expect([world.euicc.results, world.euicc.notifications]).toEqual([[], []]);
    await world.stop();
  });
});
