import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HalEvent, type ModemNotice, XsIpaError } from '../../hal/contracts/index.js';
import { packIccid, plmnOf } from '../../hal/modem/identity.js';
import { AtModem, type AtModemOptions } from '../../hal/modem/modem.js';
import { GENERIC, QUIRKS, quirksFor, quirksNamed } from '../../hal/modem/quirks.js';
import { RegistrationState } from '../../hal/modem/registration.js';
import { simReport } from '../../hal/modem/sim-report.js';
import { VirtualClock } from '../../host-sim/clock.js';
import { lines, ScriptedSerial } from './scripted-serial.js';

const ISD_R = Uint8Array.from(Buffer.from('A0000005591010FFFFFFFF8900000100', 'hex'));

type Table = Record<string, string | string[] | (() => string | undefined)>;

/** A modem by table: `line|line`; OK is appended to what is no error; unknown commands get ERROR, '-' is silence. */
function setUp(entries: Table, options: Partial<AtModemOptions> = {}) {
  const clock = new VirtualClock();
  const used = new Map<string, number>();
  const table: Table = {
    AT: 'OK',
    ATE0: 'OK',
    'AT+CMEE=1': 'OK',
    'AT+CGMI': 'Maker',
    'AT+CGMM': 'Model',
    'AT+CGMR': 'Revision: 1',
    'AT+CGSN': '490154203237518',
    'AT+CPIN?': '+CPIN: READY',
    'AT+CSIM=?': 'OK',
    ...entries,
  };
  const serial = new ScriptedSerial({
    clock,
    slices: [9, 2],
    answer: (line) => {
      const entry = table[line];
      let text: string | undefined;
      if (typeof entry === 'function') text = entry();
      else if (Array.isArray(entry)) {
        const n = used.get(line) ?? 0;
        used.set(line, n + 1);
        text = entry[Math.min(n, entry.length - 1)];
      } else text = entry ?? 'ERROR';
      if (text === undefined || text === '-') return undefined;
      const parts = text.split('|');
      if (!/^(OK|ERROR|\+CME.*)$/.test(parts[parts.length - 1])) parts.push('OK');
      return lines(...parts);
    },
  });
  const notices: ModemNotice[] = [];
  const events: HalEvent[] = [];
  const modem = new AtModem({ serial: serial.configuration, timer: clock, time: clock, ...options });
  modem.onNotice = (notice) => notices.push(notice);
  return {
    clock,
    serial,
    modem,
    notices,
    events,
    table,
    run: <T>(promise: Promise<T>) => clock.run(promise),
  };
}

describe('AtModem.start()', () => {
  it('learns who the modem is', async () => {
    const m = setUp({});
    expect(await m.run(m.modem.start())).toEqual({
      manufacturer: 'Maker',
      model: 'Model',
      revision: 'Revision: 1',
      imei: '490154203237518',
      quirks: 'generic',
      access: 'csim',
    });
    expect(m.modem.simReady).toBe(true);
    expect(m.notices).toEqual([{ notice: 'simReady' }]);
  });

  it('reads prefixed and quoted identities, and lives without any', async () => {
    const m = setUp({
      'AT+CGMI': '+CGMI: "Quectel"',
      'AT+CGMM': '+CGMM: "EG25"',
      'AT+CGMR': 'ERROR',
      'AT+CGSN': 'ERROR',
      'AT+CGSN=1': '+CGSN: "490154203237518"',
    });
    expect(await m.run(m.modem.start())).toMatchObject({
      manufacturer: 'Quectel',
      model: 'EG25',
      revision: '',
      imei: '490154203237518',
      quirks: 'quectel-eg25',
    });
    const n = setUp({ 'AT+CGMI': 'ERROR', 'AT+CGMM': 'ERROR', 'AT+CGMR': 'ERROR', 'AT+CGSN': 'ERROR' });
    expect(await n.run(n.modem.start())).toMatchObject({
      manufacturer: '',
      model: '',
      imei: '',
      quirks: 'generic',
    });
  });

  it('waits for a modem that is still booting', async () => {
    let silent = 4;
    const m = setUp({ AT: () => (silent-- > 0 ? undefined : 'OK') });
    await m.run(m.modem.start());
    expect(m.serial.received.filter((line) => line === 'AT').length).toBe(5);
  });

  it('gives up on silence with a clear error, and may be called again', async () => {
    let alive = false;
    const m = setUp({ AT: () => (alive ? 'OK' : undefined) });
    await expect(m.run(m.modem.start())).rejects.toMatchObject({
      name: 'AtError',
      code: 'timeout',
      message: expect.stringContaining('check port'),
    });
    alive = true;
    expect((await m.run(m.modem.start())).model).toBe('Model');
  });

  it('opens the port anew after it broke', async () => {
    const m = setUp({});
    await m.run(m.modem.start());
    m.serial.break(new Error('unplugged'));
    await expect(m.modem.iccid()).rejects.toMatchObject({ code: 'closed' });
    await m.run(m.modem.start());
    expect(m.serial.opened).toBe(2);
  });

  it('takes the row of the quirks table it is told to, and refuses one that is not there', async () => {
    const m = setUp({}, { quirks: 'ublox-sara-r4' });
    expect((await m.run(m.modem.start())).quirks).toBe('ublox-sara-r4');
    expect(() => setUp({}, { quirks: 'nonesuch' })).toThrow('nonesuch');
    const own = setUp(
      { 'AT+MYCARD': '89012300000000000018' },
      { quirks: { name: 'mine', models: [], iccid: ['AT+MYCARD'] } },
    );
    expect((await own.run(own.modem.start())).quirks).toBe('mine');
    expect(await own.run(own.modem.iccid())).toBeDefined();
  });
});

describe('a hostile modem', () => {
  const words = fc.constantFrom(
    ...['OK', 'ERROR', '+CME ERROR: 14', '+CME ERROR: 13', '+CME ERROR: 50', 'AT', 'RDY', '\xff\0', '1', '"'],
    ...['+CSIM: 4,"9000"', '+CSIM: 6,"019000"', '+CSIM: 8,"AABB6102"', '+CSIM: 4,"61FF"', '+CSIM: 4,"6C04"'],
    ...['+CSIM: 4,"6881"', '+CSIM: 4,"6E00"', '+CSIM: 6,"9000"', '+CSIM: 4,"91', '+CGLA: 4,"6985"'],
    ...['+CPIN: READY', '+CPIN: NOT READY', '+CEREG: 2,1', '+CEREG: 0', '+CCHO: 1', '+COPS: 0,2,"26201"'],
  );
  // Mostly whole answers, else nothing would get far.
  const reply = fc.oneof(
    words.map((word) => `\r\n${word}\r\n\r\nOK\r\n`),
    fc.array(words, { maxLength: 5 }).map((several) => `${several.join('\r\n')}\r\n`),
    fc.array(words, { maxLength: 3 }).map((several) => several.join('')),
  );

  it('ends everything in a result or in an error of ours, within bounded time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(reply, { minLength: 1, maxLength: 30 }), async (replies) => {
        let n = 0;
        const clock = new VirtualClock();
        const serial = new ScriptedSerial({
          clock,
          slices: [3, 1, 50],
          // It keeps on answering AT, else nothing more would be asked of it.
          answer: (line) => (line === 'AT' ? lines('OK') : replies[n++ % replies.length]),
        });
        const modem = new AtModem({
          serial: serial.configuration,
          timer: clock,
          time: clock,
          lineSize: 64,
        });
        const sink = { write() {} };
        const steps = [
          () => modem.start(),
          () => modem.uicc.open(ISD_R),
          () => modem.uicc.transmit(Uint8Array.of(0x80, 0xe2, 0x91, 0, 0), sink),
          () => modem.iccid(),
          () => modem.rPlmn(),
          () => modem.waitSimReset(0, 5_000),
          () => modem.resetSim(),
          () => modem.uicc.close(),
        ];
        for (const step of steps) {
          try {
            await clock.run<unknown>(step(), 3_600_000);
          } catch (error) {
            expect(error).toBeInstanceOf(XsIpaError);
          }
        }
        modem.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('the way to the card', () => {
  const OPEN = 'AT+CCHO="A0000005591010FFFFFFFF8900000100"';
  const CAPABILITY = 'AT+CSIM=20,"80AA000005A903840101"';
  const CSIM: Table = {
    [CAPABILITY]: '+CSIM: 4,"9000"',
    'AT+CSIM=10,"0070000001"': '+CSIM: 6,"019000"',
    'AT+CSIM=42,"01A4040010A0000005591010FFFFFFFF8900000100"': '+CSIM: 4,"9000"',
  };

  it.each([
    ['both', { 'AT+CCHO=?': 'OK', 'AT+CGLA=?': 'OK' }, {}, 'csim'],
    ['neither =?, but AT+CSIM works', { 'AT+CSIM=?': 'ERROR', [CAPABILITY]: '+CSIM: 4,"9000"' }, {}, 'csim'],
    ['CSIM says ERROR', { 'AT+CSIM=?': 'ERROR', 'AT+CCHO=?': 'OK', 'AT+CGLA=?': 'OK' }, {}, 'cgla'],
    ['all silent', { 'AT+CSIM=?': '-' }, {}, 'csim'],
    ['quirks that say cgla', {}, { quirks: 'fibocom-fm350' }, 'cgla'],
    ['configuration', {}, { access: 'cgla' as const }, 'cgla'],
  ])('with %s', async (_, entries, options, access) => {
    const m = setUp(entries as Table, options);
    expect((await m.run(m.modem.start())).access).toBe(access);
  });

  it('changes to the other when the preferred one cannot open, and stays there', async () => {
    const m = setUp({ ...CSIM, 'AT+CSIM=10,"0070000001"': '+CSIM: 4,"6A81"', [OPEN]: '+CCHO: 1' });
    await m.run(m.modem.start());
    await m.run(m.modem.uicc.open(ISD_R));
    const before = m.serial.received.length;
    await m.run(m.modem.uicc.open(ISD_R));
    expect(m.serial.received.slice(before)).not.toContain('AT+CSIM=10,"0070000001"');
    expect((await m.run(m.modem.start())).access).toBe('cgla');
  });

  it('reports the first failure when neither opens', async () => {
    const m = setUp({
      ...CSIM,
      'AT+CSIM=42,"01A4040010A0000005591010FFFFFFFF8900000100"': '+CSIM: 4,"6A82"',
    });
    await m.run(m.modem.start());
    await expect(m.run(m.modem.uicc.open(ISD_R))).rejects.toMatchObject({ code: 'noApplication' });
  });

  it('learns of a card reset from a channel that is gone', async () => {
    const m = setUp({ ...CSIM, 'AT+CSIM=10,"81E2910000"': '+CSIM: 4,"6881"' });
    await m.run(m.modem.start());
    await m.run(m.modem.uicc.open(ISD_R));
    const command = Uint8Array.of(0x80, 0xe2, 0x91, 0, 0);
    await expect(m.run(m.modem.uicc.transmit(command, { write() {} }))).rejects.toMatchObject({
      code: 'channelLost',
    });
    expect(m.modem.simResets).toBe(1);
    expect(m.notices.at(-1)).toEqual({ notice: 'simLost' });
  });

  it('takes the first READY of a card for a reset when a channel is open already', async () => {
    const m = setUp({ ...CSIM, 'AT+CPIN?': '+CME ERROR: 13' });
    await m.run(m.modem.start());
    await m.run(m.modem.uicc.open(ISD_R));
    expect([m.modem.simReady, m.modem.simResets]).toEqual([false, 0]);
    m.serial.send(lines('+CPIN: READY'));
    await m.clock.advance(10);
    expect([m.modem.simReady, m.modem.simResets]).toEqual([true, 1]);
  });

  it('finds out about a reset the modem keeps to itself', async () => {
    const m = setUp({
      ...CSIM,
      'AT+CSIM=10,"81F2000000"': ['+CSIM: 4,"6D00"', '+CSIM: 4,"6D00"', '+CSIM: 4,"6881"'],
    });
    await m.run(m.modem.start());
    await m.run(m.modem.uicc.open(ISD_R));
    expect(await m.run(m.modem.waitSimReset(0, 20_000))).toBe(true);
    expect(m.clock.ticks).toBeLessThan(10_000);
    expect(await m.run(m.modem.waitSimReady(20_000))).toBe(true);
  });
});

describe('the state of the card', () => {
  it('is lost when the modem starts anew by itself, and so are its settings', async () => {
    const m = setUp({});
    await m.run(m.modem.start());
    const before = m.serial.received.length;
    m.serial.send(lines('RDY'));
    await m.clock.advance(100);
    expect([m.modem.simReady, m.modem.simResets]).toEqual([false, 1]);
    expect(m.serial.received.slice(before)).toEqual([
      'ATE0',
      'AT+CMEE=1',
      'AT+CEREG=2',
      'AT+CGREG=2',
      'AT+CREG=2',
      'AT+COPS=3,2',
    ]);
  });

  it('follows unsolicited lines', async () => {
    const m = setUp({});
    await m.run(m.modem.start());
    m.serial.send(lines('+CPIN: NOT READY', '+QSIMSTAT: 1,0'));
    await m.clock.advance(10);
    expect([m.modem.simReady, m.modem.simResets]).toEqual([false, 1]);
    m.serial.send(lines('+QSIMSTAT: 1,1', '+CPIN: READY', '+QUSIM: 1'));
    await m.clock.advance(10);
    expect([m.modem.simReady, m.modem.simResets]).toEqual([true, 1]);
    await m.clock.advance(60_000);
    m.serial.send(lines('+QUSIM: 1'));
    await m.clock.advance(10);
    expect(m.modem.simResets).toBe(2);
  });

  it.each([
    ['+CPIN: READY', 'ready'],
    ['+CPIN: NOT READY', 'lost'],
    ['+CPIN: NOT INSERTED', 'lost'],
    ['+CPIN: SIM PIN', 'lost'],
    ['+QSIMSTAT: 1,0', 'lost'],
    ['+QSIMSTAT: 1,1', 'present'],
    ['+QUSIM: 1', 'initialised'],
    ['+SIM: Removed', 'lost'],
    ['+SIM: Inserted', 'present'],
    ['+SIM: NOT READY', 'lost'],
    ['+SIM: READY', 'ready'],
    ['+CREG: 1', undefined],
  ])('reads %s as %s', (line, expected) => expect(simReport(line)).toBe(expected));

  it('waits by asking when no unsolicited line comes', async () => {
    const cpin = ['+CPIN: READY', '+CPIN: READY', '+CME ERROR: 14', '+CME ERROR: 14', '+CPIN: READY'];
    const m = setUp({ 'AT+CPIN?': cpin });
    await m.run(m.modem.start());
    expect(await m.run(m.modem.waitSimReset(0, 20_000))).toBe(true);
    expect(m.modem.simReady).toBe(false);
    expect(await m.run(m.modem.waitSimReady(20_000))).toBe(true);
    expect(m.modem.simResets).toBe(1);
  });

  it('answers false at the deadline', async () => {
    const m = setUp({});
    await m.run(m.modem.start());
    const start = m.clock.ticks;
    expect(await m.run(m.modem.waitSimReset(0, 7_000))).toBe(false);
    expect(m.clock.ticks - start).toBeGreaterThanOrEqual(7_000);
    expect(m.clock.ticks - start).toBeLessThan(8_000);
    m.table['AT+CPIN?'] = '+CME ERROR: 10';
    expect(await m.run(m.modem.waitSimReady(5_000))).toBe(false);
    expect(await m.run(m.modem.waitRegistered(5_000))).toBe(false);
  });

  it('stops waiting when the port is closed', async () => {
    const m = setUp({});
    await m.run(m.modem.start());
    const waiting = m.modem.waitRegistered(60_000);
    waiting.catch(() => {});
    await m.clock.advance(3_000);
    m.modem.close();
    await expect(m.run(waiting)).rejects.toMatchObject({ code: 'closed' });
    expect(m.clock.pending).toBe(0);
  });

  it('resets the card by AT+CFUN with a pause, or by the switch of the board', async () => {
    const at: number[] = [];
    const note = () => {
      at.push(m.clock.ticks);
      return 'OK';
    };
    const m = setUp({ 'AT+CFUN=0': note, 'AT+CFUN=1': note });
    await m.run(m.modem.start());
    await m.run(m.modem.resetSim());
    expect(m.modem.simResets).toBe(1);
    expect(at[1] - at[0]).toBeGreaterThanOrEqual(1_000);
    expect(at[1] - at[0]).toBeLessThanOrEqual(3_000);

    const switched: boolean[] = [];
    const n = setUp({}, { simSwitch: (on) => void switched.push(on) });
    await n.run(n.modem.start());
    await n.run(n.modem.resetSim());
    expect(switched).toEqual([false, true]);
    expect(n.serial.received.some((line) => line.startsWith('AT+CFUN'))).toBe(false);
    const flight = setUp({ 'AT+CFUN=4': 'OK', 'AT+CFUN=1': 'OK' });
    await flight.run(flight.modem.start());
    await flight.run(flight.modem.resetSim());
    expect(flight.serial.received.slice(-3)).toEqual(['AT+CFUN=0', 'AT+CFUN=4', 'AT+CFUN=1']);
    const refused = setUp({});
    await refused.run(refused.modem.start());
    await expect(refused.run(refused.modem.resetSim())).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('registration', () => {
  it('counts any of the three domains, from answers and unsolicited lines', async () => {
    const m = setUp({ 'AT+CEREG?': '+CEREG: 2,2', 'AT+CREG?': '+CREG: 2,0' });
    await m.run(m.modem.start());
    expect(m.modem.registration).toBe(2);
    m.serial.send(lines('+CREG: 5,"1A2B","01234567",7'));
    await m.clock.advance(10);
    expect(m.modem.registration).toBe(5);
    m.serial.send(lines('+CREG: 0'));
    await m.clock.advance(10);
    expect(m.modem.registration).toBe(2);
    expect(m.notices.filter((notice) => notice.notice === 'registration')).toEqual([
      { notice: 'registration', stat: 2 },
      { notice: 'registration', stat: 5 },
      { notice: 'registration', stat: 2 },
    ]);
  });

  it('waits for an unsolicited line, and by asking', async () => {
    const m = setUp({ 'AT+CEREG?': '+CEREG: 2,2' });
    await m.run(m.modem.start());
    m.serial.sendLater(lines('+CEREG: 1,"00C3","0102ABCD",7'), 2_700);
    const start = m.clock.ticks;
    expect(await m.run(m.modem.waitRegistered(60_000))).toBe(true);
    expect(m.clock.ticks - start).toBeLessThan(2_800);
    const n = setUp({ 'AT+CGREG?': ['+CGREG: 2,2', '+CGREG: 2,2', '+CGREG: 2,1'] });
    await n.run(n.modem.start());
    expect(await n.run(n.modem.waitRegistered(60_000))).toBe(true);
  });

  it('does not believe what was said before a card reset', async () => {
    const m = setUp({ 'AT+CEREG?': '+CEREG: 2,1' });
    await m.run(m.modem.start());
    expect(m.modem.registration).toBe(1);
    m.serial.send(lines('+CPIN: NOT READY'));
    await m.clock.advance(10);
    expect(m.modem.registration).toBe(0);
  });

  it('takes only its own lines', () => {
    const state = new RegistrationState();
    expect(state.take('+CPIN: READY')).toBe(false);
    expect(state.take('+CEREG: x')).toBe(true);
    expect(state.stat).toBe(0);
    expect(state.take('+CEREG:3')).toBe(true);
    expect(state.stat).toBe(3);
  });
});

describe('ICCID and PLMN', () => {
  const PACKED = '98103200000000000081';
  function hex(bytes: Uint8Array | undefined): string | undefined {
    return bytes && Buffer.from(bytes).toString('hex');
  }

  it.each([
    ['AT+QCCID', '+QCCID: 89012300000000000018', 'quectel-bg95', PACKED],
    ['AT+CICCID', '+ICCID: 89012300000000000018', 'simcom-a7670', PACKED],
    ['AT#CCID', '#CCID: 89012300000000000018', 'telit-le910c4', PACKED],
    ['AT+CCID', '+CCID: "8901230000000000001F"', 'generic', '981032000000000000f1'],
    ['AT+ICCID', '8901230000000000001', 'generic', '981032000000000000f1'],
    ['AT+CRSM=176,12258,0,0,10', '+CRSM: 144,0,"98103200000000000081"', 'generic', PACKED],
  ])('%s: %s', async (command, answer, quirks, expected) => {
    const m = setUp({ [command]: answer }, { quirks });
    await m.run(m.modem.start());
    expect(hex(await m.run(m.modem.iccid()))).toBe(expected);
    const before = m.serial.received.length;
    await m.run(m.modem.iccid());
    expect(m.serial.received.slice(before)).toEqual([command]);
  });

  it('is undefined when the modem does not tell', async () => {
    const m = setUp({ 'AT+CRSM=176,12258,0,0,10': '+CRSM: 106,130' });
    await m.run(m.modem.start());
    expect(await m.run(m.modem.iccid())).toBeUndefined();
    expect(packIccid('123')).toBeUndefined();
  });

  it.each([
    ['+COPS: 0,2,"26201",7', '62f210'],
    ['+COPS: 0,2,"310260"', '130062'],
    ['+COPS: 0,0,"Carrier"', undefined],
    ['+COPS: 0', undefined],
    ['+COPS: 0,2,"26A01"', undefined],
  ])('%s → %s', (line, expected) => expect(hex(plmnOf(line))).toBe(expected));

  it('sets the numeric format again when it was lost, and keeps the last known PLMN', async () => {
    const m = setUp({
      'AT+COPS=3,2': 'OK',
      'AT+COPS?': ['+COPS: 0,0,"Carrier",7', '+COPS: 0,2,"26201",7', '+COPS: 0'],
    });
    await m.run(m.modem.start());
    expect(hex(await m.run(m.modem.rPlmn()))).toBe('62f210');
    expect(hex(await m.run(m.modem.rPlmn()))).toBe('62f210');
  });
});

describe('the access point', () => {
  const access = { apn: 'iot.example', user: 'me', password: 'pw, too' };

  it('is set with its user and password', async () => {
    const m = setUp({
      'AT+CGDCONT=1,"IP","iot.example"': 'OK',
      'AT+CGAUTH=1,1,"me","pw, too"': 'OK',
    });
    await m.run(m.modem.start());
    await m.run(m.modem.setAccessPoint(access));
    expect(m.serial.received.slice(-2)).toEqual([
      'AT+CGDCONT=1,"IP","iot.example"',
      'AT+CGAUTH=1,1,"me","pw, too"',
    ]);
    // Without the command no user can be set: that is said.
    m.table['AT+CGAUTH=1,1,"me","pw, too"'] = 'ERROR';
    await expect(m.run(m.modem.setAccessPoint(access))).rejects.toMatchObject({ code: 'refused' });
  });

  it('without user and password needs no AT+CGAUTH', async () => {
    const m = setUp({ 'AT+CGDCONT=1,"IP",""': 'OK' });
    await m.run(m.modem.start());
    await m.run(m.modem.setAccessPoint({ apn: '', user: '', password: '' }));
    expect(m.serial.received.at(-1)).toBe('AT+CGAUTH=1,0');
  });

  it('is refused whole when a text would leave its quotes, or its line', async () => {
    const m = setUp({});
    await m.run(m.modem.start());
    const before = m.serial.received.length;
    const texts = ['"', 'a"b', 'a\rAT', 'a\n', '\\', 'ü', 'a'.repeat(101)];
    for (const text of texts)
      for (const name of ['apn', 'user', 'password'])
        await expect(m.run(m.modem.setAccessPoint({ ...access, [name]: text }))).rejects.toMatchObject({
          code: 'usage',
        });
    expect(m.serial.received).toHaveLength(before);
  });
});

describe('the table of quirks', () => {
  it('finds its rows by what modems say of themselves', () => {
    for (const [manufacturer, model, name] of [
      ['Quectel', 'EC200A', 'quectel-ec200a'],
      ['Quectel', 'EG25', 'quectel-eg25'],
      ['SIMCOM INCORPORATED', 'SIMCOM_SIM7600G-H', 'simcom-sim7600'],
      ['Nordic Semiconductor ASA', 'nRF9160-SICA', 'nrf91'],
      ['u-blox', 'SARA-R410M-02B', 'ublox-sara-r4'],
      ['Someone', 'Something', 'generic'],
    ]) {
      expect(quirksFor(manufacturer, model).name).toBe(name);
    }
  });

  it('has every row reachable by its name and by each of its models', () => {
    for (const row of QUIRKS) {
      expect(quirksNamed(row.name)).toBe(row);
      for (const model of row.models) expect(quirksFor('', model)).toBe(row);
    }
    expect(quirksNamed('generic')).toBe(GENERIC);
  });
});
