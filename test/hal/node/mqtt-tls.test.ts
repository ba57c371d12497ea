import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mqttConfiguration } from '../../../hal/node/mqtt.js';
import { RealClock } from '../../../host-sim/clock.js';
import { MqttLink } from '../../../ipa/esipa/mqtt/link.js';
import { wrongServer } from '../../support/wrong-server.js';
import { type Identity, identity } from './identity.js';

const EID = '89049032123451234512345678901235';
const poll = Buffer.from(`bf4f125a10${EID}`, 'hex');
const NAME = 'localhost';

describe('an MQTT link to a broker that is not the one that is expected', () => {
  let ca: Identity;
  let otherCa: Identity;
  let expired: Identity;
  let misnamed: Identity;
  let foreign: Identity;
  beforeAll(async () => {
    ca = await identity('The CA', { ca: true });
    otherCa = await identity('Another CA', { ca: true });
    expired = await identity(NAME, { issuer: ca, from: -5 });
    misnamed = await identity('other.example.com', { issuer: ca });
    foreign = await identity(NAME, { issuer: otherCa });
  });

  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const cases: [title: string, shown: () => Identity | string, why: RegExp][] = [
    ['of another CA', () => foreign, /unable to|self-signed/],
    ['with an expired certificate', () => expired, /expired/],
    ['of another name', () => misnamed, /altnames/],
    ['that speaks in the clear', () => '220 mail.example.com ESMTP\r\n', /./],
    ['that speaks HTTP', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', /./],
    ['that hangs up', () => '', /ended the connection when TLS began/],
  ];

  it.each(cases)(
    '%s: refuses it, says what was expected, and waits longer each time',
    async (_title, shown, why) => {
      const { port, plain, secret, close } = await wrongServer(shown());
      closing.push(close);
      // Ten times faster than life: only the pauses wait.
      const clock = new RealClock(10);
      const lost: { detail: string; at: number }[] = [];
      const pauses: number[] = [];
      let enough: () => void = () => {};
      const done = new Promise<void>((resolve) => {
        enough = resolve;
      });
      const link = new MqttLink({
        eimId: 'eim',
        eid: Buffer.from(EID, 'hex'),
        mqtt: {
          ...mqttConfiguration({ url: `mqtts://${NAME}:${port}`, user: 'device', password: 'secret' }),
          ca: ca.cert,
        },
        timer: clock,
        random: () => 0.5,
        times: { answer: 60_000, attempts: 3, backOff: 200, backOffLimit: 10_000 },
        observe: (event) => {
          if (event.event !== 'link') return;
          const before = lost.at(-1);
          if (event.state === 'connecting' && before) pauses.push(clock.ticks - before.at);
          if (event.state === 'lost') lost.push({ detail: event.detail ?? '', at: clock.ticks });
          if (pauses.length === 4) enough();
        },
      });
      closing.push(() => link.close());
      link.resume();
      const answer = link.exchange(poll, () => true).catch((error: unknown) => error);
      await done;
      link.close();
      expect(await answer).toMatchObject({ name: 'LinkError' });
      for (const { detail } of lost) {
        expect(detail).toMatch(why);
        expect(detail).toMatch(/expected TLS with a valid certificate for localhost of CN=The CA/);
      }
      for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(100 * 2 ** i - 10);
      expect(secret).toEqual([]);
      const heard = Buffer.concat(plain);
      // The beginning of a TLS record, and nothing of MQTT behind it.
      if (heard.length > 0) expect(heard[0]).toBe(0x16);
      for (const word of ['MQTT', EID, 'secret']) expect(heard.includes(word)).toBe(false);
    },
  );
});
