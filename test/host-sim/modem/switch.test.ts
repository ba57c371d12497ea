import { describe, expect, it } from 'vitest';
import { homePlmn, Network, plmnBytes } from '../../../host-sim/modem/index.js';
import { Bench, FakeCard, hex, ISD_R } from './fakes.js';

/** Reports on, session open, echo off. */
async function subscribed(options: ConstructorParameters<typeof Bench>[0] = {}): Promise<Bench> {
  const bench = await new Bench(options).ready();
  await bench.ask('AT+CREG=1;+CEREG=2');
  if (!bench.modem.personality.missing.includes('+CCHO')) await bench.ask(`AT+CCHO="${ISD_R}"`);
  bench.events.length = 0;
  return bench;
}

const toProfile = (n: number) => `AT+CGLA=1,18,"80E2910004BF7701${n.toString(16).padStart(2, '0')}"`;
const FETCH_ANSWER = 'AT+CGLA=1,10,"00C0000006"';

describe('coming up', () => {
  it('introduces itself without tag 84, offers the toolkit, reads ICCID and IMSI, then registers', async () => {
    const bench = new Bench();
    await bench.clock.advance(999);
    expect(bench.card.resets).toBe(0);
    expect(await bench.ask('AT+CPIN?', 0)).toContain('ERROR');
    await bench.clock.advance(1);
    expect(bench.card.log.slice(0, 3)).toEqual([
      'reset',
      '80AA000005A903820100',
      '8010000009FFFFFFFF7F1100DFD7',
    ]);
    expect(bench.card.log).toContain('00A4000C022FE2');
    expect(bench.received).toContain('+CPIN: READY');
    expect(bench.modem.imsi).toBe('262011234567890');
    expect(bench.modem.registered).toBe(false);
    await bench.clock.advance(3000);
    expect(bench.modem.registered).toBe(true);
    expect(bench.modem.plmn).toBe('26201');
    expect(bench.happenings).toEqual(['simOn', 'searching', 'registered']);
    expect(bench.modem.apdus).toBe(bench.card.log.length - 1);
  });

  it('says SIM busy until then', async () => {
    const bench = new Bench();
    await bench.ask('ATE0');
    await bench.ask('AT+CMEE=1');
    for (const command of [
      'AT+CPIN?',
      'AT+CSIM=10,"0070000001"',
      `AT+CCHO="${ISD_R}"`,
      'AT+CIMI',
      'AT+CCID',
    ]) {
      expect(await bench.ask(command, 1)).toEqual(['+CME ERROR: 14']);
    }
  });
});

describe('REFRESH', () => {
  it('UICC reset: answer first, then the whole ceremony, and the other subscription registers', async () => {
    const bench = await subscribed();
    const registrations: [boolean, number][] = [];
    bench.modem.onRegistration((registered, stat) => registrations.push([registered, stat]));
    expect(await bench.ask(toProfile(1))).toEqual(['+CGLA: 4,"6106"', 'OK']);
    expect(await bench.ask(FETCH_ANSWER, 10_000)).toEqual([
      '+CGLA: 16,"BF7703800100910B"',
      'OK',
      '+CPIN: NOT READY',
      '+CREG: 0',
      '+CEREG: 0',
      '+CPIN: READY',
      '+CREG: 2',
      '+CEREG: 2',
      '+CREG: 1',
      '+CEREG: 1,"1A2B","01234567",7',
    ]);
    expect(bench.happenings).toEqual(['refresh', 'simOff', 'lost', 'simOn', 'searching', 'registered']);
    expect(registrations).toEqual([
      [false, 0],
      [false, 2],
      [true, 1],
    ]);
    expect(bench.card.resets).toBe(2);
    expect(bench.card.log.filter((entry) => entry.startsWith('8014'))).toEqual([]);
    expect(bench.card.log.filter((entry) => entry.startsWith('8012'))).toEqual(['801200000B']);
    expect(await bench.ask('AT+CIMI')).toEqual(['310260123456789', 'OK']);
    expect(await bench.ask('AT+CCID')).toEqual(['+CCID: 89012300000000000026', 'OK']);
    expect(await bench.ask('AT+COPS=3,2;+COPS?')).toEqual(['+COPS: 0,2,"310260",7', 'OK']);
    expect(await bench.ask('AT+CGLA=1,10,"00C0000006"')).toEqual(['+CME ERROR: 22']);
    expect(await bench.ask('AT+CSIM=20,"81E2910005BF78020004"')).toEqual(['+CSIM: 4,"6881"', 'OK']);
  });

  it('takes the time that was set, and the card is busy meanwhile', async () => {
    const bench = await subscribed({ simResetMilliseconds: 1000 });
    await bench.ask(toProfile(1));
    await bench.ask(FETCH_ANSWER, 10);
    expect(await bench.ask('AT+CPIN?', 10)).toEqual(['+CME ERROR: 14']);
    await bench.clock.advance(979);
    expect(bench.modem.simReady).toBe(false);
    await bench.clock.advance(1);
    expect(bench.modem.simReady).toBe(true);
  });

  it('without a reset: channels stay, files are read anew, the card is told', async () => {
    const card = new FakeCard();
    card.refreshQualifier = 3;
    // The fake switches when told so; a card that really works this way would before FETCH is answered.
    const bench = await subscribed({ card });
    await bench.ask(toProfile(1));
    const lines = await bench.ask(FETCH_ANSWER, 10_000);
    expect(lines).toContain('+CPIN: NOT READY');
    expect(lines.at(-1)).toBe('+CEREG: 1,"1A2B","01234567",7');
    expect(card.resets).toBe(1);
    expect(card.log.at(-1)).toBe('801400000C810301010382028281830100');
    expect(await bench.ask('AT+CGLA=1,20,"80E2910005BF78020004"')).toEqual(['+CGLA: 4,"6104"', 'OK']);
  });

  it('to no profile: card ready, radio idle', async () => {
    const bench = await subscribed();
    await bench.ask(toProfile(0xff));
    await bench.ask(FETCH_ANSWER, 10_000);
    expect(await bench.ask('AT+CPIN?')).toEqual(['+CPIN: READY', 'OK']);
    expect(await bench.ask('AT+CIMI')).toEqual(['+CME ERROR: 13']);
    expect(await bench.ask('AT+CREG?')).toEqual(['+CREG: 1,0', 'OK']);
    expect(await bench.ask('AT+COPS?')).toEqual(['+COPS: 0', 'OK']);
    expect(await bench.ask(`AT+CCHO="${ISD_R}"`)).toEqual(['+CCHO: 1', 'OK']);
  });

  it('quectel reports the card in its own words', async () => {
    const bench = await subscribed({ personality: 'quectel' });
    await bench.ask(toProfile(1).replace('=1,', '=3,'));
    const lines = await bench.ask(FETCH_ANSWER.replace('=1,', '=3,'), 2000);
    expect(lines.filter((line) => /CPIN|Q/.test(line))).toEqual([
      '+CPIN: NOT READY',
      '+QSIMSTAT: 1,0',
      '+QSIMSTAT: 1,1',
      '+CPIN: READY',
      '+QUSIM: 1',
    ]);
  });

  it('ignored: nothing happens until the card is powered down and up', async () => {
    const bench = await subscribed({ personality: 'ignores-refresh' });
    await bench.ask('AT+CSIM=10,"0070000001"');
    await bench.ask(`AT+CSIM=42,"01A4040010${ISD_R}"`);
    await bench.ask('AT+CSIM=18,"81E2910004BF770101"');
    expect(await bench.ask('AT+CSIM=10,"01C0000006"', 60_000)).toEqual([
      '+CSIM: 16,"BF7703800100910B"',
      'OK',
    ]);
    expect(bench.happenings).toEqual(['refresh']);
    expect(bench.card.resets).toBe(1);
    expect(await bench.ask('AT+CIMI')).toEqual(['262011234567890', 'OK']);
    expect(bench.modem.registered).toBe(true);
    expect(await bench.ask('AT+CFUN=0')).toEqual(
      ['+CPIN: NOT READY', '+CREG: 0', '+CEREG: 0', 'OK'].sort(ok),
    );
    expect(bench.modem.registered).toBe(false);
    expect(await bench.ask('AT+CFUN?')).toEqual(['+CFUN: 0', 'OK']);
    expect((await bench.ask('AT+CFUN=1', 10_000))[0]).toBe('OK');
    expect(await bench.ask('AT+CIMI')).toEqual(['310260123456789', 'OK']);
    expect(bench.modem.plmn).toBe('310260');
  });
});

/** Unsolicited lines wait for the final result of the command that caused them. */
function ok(a: string, b: string): number {
  return a === 'OK' ? -1 : b === 'OK' ? 1 : 0;
}

describe('AT+CFUN', () => {
  it('4 switches the transmitter off and leaves the card alone; 1 brings it back', async () => {
    const bench = await subscribed();
    expect(await bench.ask('AT+CFUN=4')).toEqual(['OK', '+CREG: 0', '+CEREG: 0']);
    expect(await bench.ask('AT+CPIN?')).toEqual(['+CPIN: READY', 'OK']);
    expect(await bench.ask('AT+CFUN=1', 5000)).toEqual([
      'OK',
      '+CREG: 2',
      '+CEREG: 2',
      '+CREG: 1',
      '+CEREG: 1,"1A2B","01234567",7',
    ]);
  });

  it('1,1 restarts everything: settings, sessions, card', async () => {
    const bench = await subscribed({ personality: 'quectel' });
    expect(await bench.ask('AT+CFUN=1,1', 20)).toEqual(['OK']);
    expect(await bench.ask('AT', 900)).toEqual([]);
    await bench.clock.advance(8000);
    expect(bench.received).toContain('RDY');
    expect(bench.modem.registered).toBe(true);
    expect(await bench.raw('AT')).toBe('AT\r\r\nOK\r\n');
    expect(bench.card.resets).toBe(2);
  });

  it('+COPS=2 deregisters, +COPS=0 searches again', async () => {
    const bench = await subscribed();
    await bench.ask('AT+COPS=2');
    expect(bench.modem.registered).toBe(false);
    expect(await bench.ask('AT+CGATT=1')).toEqual(['+CME ERROR: 30']);
    await bench.ask('AT+COPS=0', 5000);
    expect(bench.modem.registered).toBe(true);
  });
});

describe('Network', () => {
  it('knows home, roaming, denied and none by the longest prefix', () => {
    const network = new Network([
      { imsi: '26201', plmn: '26202', operator: 'Elsewhere', attachMilliseconds: 9 },
      { imsi: '2620199', service: 'denied' },
    ]);
    expect(network.attach('262011234567890')).toMatchObject({
      stat: 5,
      plmn: '26202',
      operator: 'Elsewhere',
    });
    expect(network.attach('262019934567890')).toMatchObject({ stat: 3 });
    expect(network.attach('310260123456789')).toMatchObject({ stat: 1, plmn: '310260' });
    network.blackOut('');
    expect(network.attach('310260123456789').stat).toBe(2);
    expect(network.attach('262011234567890').stat).toBe(5);
    network.remove('');
    expect(network.attach('310260123456789').stat).toBe(1);
    expect(homePlmn('262011234567890')).toBe('26201');
    expect(hex(plmnBytes('26201'))).toBe('62F210');
    expect(hex(plmnBytes('310260'))).toBe('130062');
  });

  it('changes reach a modem that is registered', async () => {
    const network = new Network([{ imsi: '31026', attachMilliseconds: 500 }]);
    const bench = await subscribed({ network });
    network.blackOut('26201');
    await bench.clock.advance(60_000);
    expect(bench.modem.registration).toBe(2);
    network.allow('26201');
    await bench.clock.advance(2999);
    expect(bench.modem.registered).toBe(false);
    await bench.clock.advance(1);
    expect(bench.modem.registered).toBe(true);
    network.deny('26201');
    await bench.clock.advance(3000);
    expect(bench.modem.registration).toBe(3);
    expect(bench.happenings).toEqual(['lost', 'searching', 'registered', 'lost', 'searching']);
    network.set({ imsi: '26201', plmn: '20801' });
    await bench.clock.advance(3000);
    expect(bench.modem.registration).toBe(5);
    expect(bench.modem.plmn).toBe('20801');
  });
});
