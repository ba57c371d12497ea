import { describe, expect, it } from 'vitest';
import { personalities } from '../../../host-sim/modem/index.js';
import { Bench, FakeCard, ISD_R } from './fakes.js';

const OPEN = 'AT+CSIM=10,"0070000001"';
const select = (cla: string) => `AT+CSIM=42,"${cla}A4040010${ISD_R}"`;

describe('general commands', () => {
  it('answers identity, IMEI, card and network of a generic modem', async () => {
    const bench = await new Bench().ready();
    expect(await bench.ask('AT')).toEqual(['OK']);
    expect(await bench.ask('ATI')).toEqual(['xs-ipa', 'Simulated LTE modem', 'Revision: 27.007', 'OK']);
    expect(await bench.ask('AT+CGMI')).toEqual(['xs-ipa', 'OK']);
    expect(await bench.ask('AT+CGMM;+CGMR')).toEqual(['Simulated LTE modem', '27.007', 'OK']);
    expect(await bench.ask('AT+CGSN')).toEqual(['352906112345675', 'OK']);
    expect(await bench.ask('AT+CGSN=1')).toEqual(['+CGSN: "352906112345675"', 'OK']);
    expect(await bench.ask('AT+CPIN?')).toEqual(['+CPIN: READY', 'OK']);
    expect(await bench.ask('AT+CIMI')).toEqual(['262011234567890', 'OK']);
    expect(await bench.ask('AT+CCID')).toEqual(['+CCID: 89012300000000000018', 'OK']);
    expect(await bench.ask('AT+COPS=3,2;+COPS?')).toEqual(['+COPS: 0,2,"26201",7', 'OK']);
    expect(await bench.ask('AT+COPS=3,0;+COPS?')).toEqual(['+COPS: 0,0,"Simulated 26201",7', 'OK']);
    expect(await bench.ask('AT+CEREG?')).toEqual(['+CEREG: 0,1', 'OK']);
    expect(await bench.ask('at+cereg=2;+cereg?')).toEqual(['+CEREG: 2,1,"1A2B","01234567",7', 'OK']);
    expect(await bench.ask('AT+CGATT?')).toEqual(['+CGATT: 1', 'OK']);
    expect(await bench.ask('AT+CGDCONT=1,"IP","iot"')).toEqual(['OK']);
    expect(await bench.ask('AT+CGDCONT?')).toEqual(['+CGDCONT: 1,"IP","iot","",0,0', 'OK']);
    expect(await bench.ask('AT+CGACT=1,1;+CGACT?')).toEqual(['+CGACT: 1,1', 'OK']);
    expect((await bench.ask('AT+CGPADDR=1'))[0]).toMatch(/^\+CGPADDR: 1,"10\.\d+\.\d+\.\d+"$/);
    expect(await bench.ask('AT+NONSENSE')).toEqual(['ERROR']);
    expect(await bench.ask('AT+CGACT=1,9')).toEqual(['+CME ERROR: 50']);
  });

  it('serves a person: echo, backspace, blank lines, both line ends, words that are no command', async () => {
    const bench = new Bench();
    await bench.clock.advance(6000);
    expect(await bench.raw('ATX\x08I')).toContain('ATX\x08 \x08I\r\r\nxs-ipa\r\n');
    expect(await bench.ask('ATX\x08E0')).toContain('OK');
    expect(await bench.raw('AT')).toBe('\r\nOK\r\n');
    expect(await bench.raw('')).toBe('');
    expect(await bench.raw('   ')).toBe('');
    expect(await bench.raw('AT\r\n\nAT')).toBe('\r\nOK\r\n\r\nOK\r\n');
    expect(await bench.raw('hello')).toBe('');
    expect(await bench.raw('?')).toBe('');
    expect(await bench.raw('ATV0')).toBe('0\r');
    expect(await bench.raw('AT+CGMI')).toBe('xs-ipa\r\n0\r');
    expect(await bench.raw('AT+NO')).toBe('4\r');
    expect(await bench.raw('ATZ')).toBe('\r\nOK\r\n');
    expect(await bench.raw('AT')).toBe('AT\r\r\nOK\r\n');
  });

  it('takes a lone LF as the end of a line, and CR LF as one', async () => {
    const bench = await new Bench().ready();
    bench.type('AT+CGMI\n');
    await bench.clock.advance(100);
    expect(bench.received).toBe('\r\nxs-ipa\r\n\r\nOK\r\n');
    bench.received = '';
    bench.type('AT+NO\r\nhello\n\nAT\r\n');
    await bench.clock.advance(100);
    expect(bench.received).toBe('\r\nERROR\r\n\r\nOK\r\n');
  });

  it('repeats the last command line at A/, without a line end', async () => {
    const bench = await new Bench().ready();
    await bench.ask('AT+CGMI');
    bench.received = '';
    bench.type('A/');
    await bench.clock.advance(100);
    expect(bench.received).toBe('\r\nxs-ipa\r\n\r\nOK\r\n');
    await bench.ask('hello');
    expect(await bench.raw('a/')).toBe('\r\nxs-ipa\r\n\r\nOK\r\n');
    expect(await bench.raw('AT+CGSN/A/')).toBe('\r\nERROR\r\n');
    const fresh = new Bench();
    await fresh.clock.advance(6000);
    expect(await fresh.ask('A/')).toEqual(['OK']);
  });

  it('does not let a TE go on with the line of the one before', async () => {
    const bench = await new Bench({ baud: 9600 }).ready();
    bench.type('AT+CGMI\rAT+C');
    bench.leave();
    const line = bench.connect();
    bench.received = '';
    line.write(Buffer.from('GSN\rAT+CGMM\r'));
    await bench.clock.advance(1000);
    expect(bench.received).toContain('Simulated LTE modem');
    expect(bench.received).not.toContain('352906112345675');
    expect(bench.received).not.toContain('ERROR');
  });

  it('words errors as +CMEE says', async () => {
    const bench = await new Bench().ready();
    await bench.ask('AT+CFUN=0');
    expect(await bench.ask('AT+CPIN?')).toEqual(['+CME ERROR: 13']);
    await bench.ask('AT+CMEE=2');
    expect(await bench.ask('AT+CPIN?')).toEqual(['+CME ERROR: SIM failure']);
    await bench.ask('AT+CMEE=0');
    expect(await bench.ask('AT+CPIN?')).toEqual(['ERROR']);
  });
});

describe('AT+CSIM', () => {
  it('carries the bring-up and a 61xx answer of spec/at.md §2', async () => {
    const bench = await new Bench().ready();
    expect(await bench.ask('AT+CSIM=20,"80AA000005A903840101"')).toEqual(['+CSIM: 4,"9000"', 'OK']);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
    expect(await bench.ask(select('01'))).toEqual(['+CSIM: 4,"6114"', 'OK']);
    expect(await bench.ask('AT+CSIM=10,"01C0000014"')).toEqual([`+CSIM: 44,"6F128410${ISD_R}9000"`, 'OK']);
    expect(await bench.ask('AT+CSIM=8,"00708001"')).toEqual(['+CSIM: 4,"9000"', 'OK']);
    expect(await bench.ask('AT+CSIM=20,"81E2910005BF78020004"')).toEqual(['+CSIM: 4,"6881"', 'OK']);
  });

  it('refuses what is no APDU', async () => {
    const bench = await new Bench().ready();
    for (const bad of [
      '8,"0070800"',
      '9,"007080010"',
      '10,"00708001"',
      '8,"0070zz01"',
      '6,"007080"',
      '8',
      '"00708001"',
    ]) {
      expect(await bench.ask(`AT+CSIM=${bad}`), bad).toEqual(['+CME ERROR: 50']);
    }
    expect(bench.modem.teApdus).toBe(0);
  });
});

describe('AT+CCHO, AT+CGLA, AT+CCHC', () => {
  it('opens, sets the class bits itself, closes', async () => {
    const bench = await new Bench().ready();
    expect(await bench.ask(`AT+CCHO="${ISD_R}"`)).toEqual(['+CCHO: 1', 'OK']);
    expect(await bench.ask(`AT+CCHO="${ISD_R}"`)).toEqual(['+CCHO: 2', 'OK']);
    expect(await bench.ask('AT+CGLA=2,20,"80E2910005BF78020004"')).toEqual(['+CGLA: 4,"6104"', 'OK']);
    expect(await bench.ask('AT+CGLA=2,10,"00C0000004"')).toEqual(['+CGLA: 12,"000102039000"', 'OK']);
    expect(await bench.ask('AT+CGLA=2,20,"81E2910005BF78020004"')).toEqual(['+CGLA: 4,"6104"', 'OK']);
    expect(bench.card.log.at(-1)).toBe('82E2910005BF78020004');
    expect(await bench.ask('AT+CCHC=2')).toEqual(['OK']);
    expect(await bench.ask('AT+CCHC=2')).toEqual(['+CME ERROR: 22']);
    expect(await bench.ask('AT+CGLA=2,10,"00C0000004"')).toEqual(['+CME ERROR: 22']);
    expect(await bench.ask('AT+CCHO="A000000559"')).toEqual(['+CME ERROR: 13']);
    expect(bench.card.log.at(-1)).toBe('00708002');
  });

  it('uses the other class coding beyond channel 3', async () => {
    const bench = await new Bench({ reservedChannels: 3 }).ready();
    expect(await bench.ask(`AT+CCHO="${ISD_R}"`)).toEqual(['+CCHO: 4', 'OK']);
    await bench.ask('AT+CGLA=4,20,"80E2910005BF78020004"');
    expect(bench.card.log.at(-1)).toBe('C0E2910005BF78020004');
    await bench.ask('AT+CGLA=4,10,"00C0000004"');
    expect(bench.card.log.at(-1)).toBe('40C0000004');
  });
});

describe('AT+CRSM', () => {
  it('reads files', async () => {
    const bench = await new Bench().ready();
    expect(await bench.ask('AT+CRSM=176,12258,0,0,10')).toEqual([
      '+CRSM: 144,0,"98103200000000000081"',
      'OK',
    ]);
    expect(await bench.ask('AT+CRSM=176,28423,0,0,9,,"7F20"')).toEqual([
      '+CRSM: 144,0,"082926102143658709"',
      'OK',
    ]);
    expect(await bench.ask('AT+CRSM=192,12258')).toEqual(['+CRSM: 144,0,"6205820221210A"', 'OK']);
    expect(await bench.ask('AT+CRSM=176,28486,0,0,9')).toEqual(['+CRSM: 106,130', 'OK']);
    expect(await bench.ask('AT+CRSM=99,12258')).toEqual(['+CME ERROR: 50']);
  });
});

describe('personalities', () => {
  it.each(Object.keys(personalities))('%s comes up, tells who it is and registers', async (personality) => {
    const bench = await new Bench({ personality }).ready();
    const traits = bench.modem.personality;
    expect(traits.name).toBe(personality);
    expect(await bench.ask('AT+CGMI')).toEqual([traits.manufacturer, 'OK']);
    expect(await bench.ask('AT+CGMM')).toEqual([traits.model, 'OK']);
    expect(await bench.ask('AT+CGMR')).toEqual([traits.revision, 'OK']);
    expect((await bench.ask(`AT${traits.iccid[0].command}`))[0]).toContain('89012300000000000018');
    expect(await bench.ask('AT+CEREG?')).toEqual(['+CEREG: 0,1', 'OK']);
  });

  it('csim-only knows no sessions, refuses Le behind data and is quiet without a profile', async () => {
    const card = new FakeCard();
    const bench = await new Bench({ personality: 'csim-only', card }).ready();
    expect(await bench.ask(`AT+CCHO="${ISD_R}"`)).toEqual(['ERROR']);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
    expect(await bench.ask(`AT+CSIM=44,"01A4040010${ISD_R}00"`)).toEqual(['+CME ERROR: 50']);
    card.enabled = undefined;
    await bench.ask('AT+CFUN=0');
    expect(await bench.ask('AT+CFUN=1', 5000)).toEqual(['OK']);
    expect(await bench.ask('AT+CPIN?')).toEqual(['+CME ERROR: 13']);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"019000"', 'OK']);
    expect(await bench.ask('AT+CEREG?')).toEqual(['+CEREG: 0,0', 'OK']);
  });

  it('cgla-bare answers a bare session id, has no CSIM and no test forms', async () => {
    const bench = await new Bench({ personality: 'cgla-bare' }).ready();
    expect(await bench.ask(OPEN)).toEqual(['ERROR']);
    expect(await bench.ask('AT+CCHO=?')).toEqual(['ERROR']);
    expect(await bench.ask(`AT+CCHO="${ISD_R}"`)).toEqual(['1', 'OK']);
    expect(await bench.ask('AT+CGLA=1,20,"80E2910005BF78020004"')).toEqual(['+CGLA: 4,"6104"', 'OK']);
    await bench.ask('ATE1');
    expect(await bench.raw('AT')).toBe('AT\r\n\r\nOK\r\n');
  });

  it('long-handles gives 16 hex digits and swallows the test forms', async () => {
    const bench = await new Bench({ personality: 'long-handles' }).ready();
    for (const name of ['CSIM', 'CCHO', 'CGLA', 'CCHC'])
      expect(await bench.raw(`AT+${name}=?`, 60_000)).toBe('');
    const [answer] = await bench.ask(`AT+CCHO="${ISD_R}"`);
    expect(answer).toMatch(/^\+CCHO: [0-9a-f]{16}$/);
    const id = answer.slice(7);
    expect(await bench.ask(`AT+CGLA=${id},20,"80E2910005BF78020004"`)).toEqual(['+CGLA: 4,"6104"', 'OK']);
    expect(await bench.ask('AT+CCHC=1')).toEqual(['+CME ERROR: 22']);
    expect(await bench.ask(`AT+CCHC=${id}`)).toEqual(['OK']);
  });

  it('auto-get-response chains 61xx, 256 bytes at a time', async () => {
    const bench = await new Bench({ personality: 'auto-get-response' }).ready();
    await bench.ask(OPEN);
    expect(await bench.ask(select('01'))).toEqual([`+CSIM: 44,"6F128410${ISD_R}9000"`, 'OK']);
    const [first] = await bench.ask('AT+CSIM=20,"81E2910005BF78020140"');
    expect(first).toMatch(/^\+CSIM: 516,"0001.*FEFF6140"$/);
    expect((await bench.ask('AT+CSIM=10,"01C0000040"'))[0]).toMatch(/^\+CSIM: 132,"0001.*3E3F9000"$/);
    await bench.ask(`AT+CCHO="${ISD_R}"`);
    expect((await bench.ask('AT+CGLA=2,20,"80E2910005BF78020140"'))[0]).toMatch(/^\+CGLA: 516,".*FEFF6140"$/);
  });

  it('mt5700 loses what is beyond the cap and has session 0 without CCHO', async () => {
    const bench = await new Bench({ personality: 'mt5700' }).ready();
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 4,"6A81"', 'OK']);
    await bench.ask(`AT+CGLA=0,42,"00A4040010${ISD_R}"`);
    expect((await bench.ask('AT+CSIM=20,"80E2910005BF78020140"'))[0]).toMatch(
      /^\+CSIM: 516,"0001.*FEFF9000"$/,
    );
    expect((await bench.ask('AT+CGLA=0,20,"80E2910005BF78020140"'))[0]).toMatch(/^\+CGLA: 516,".*FEFF6140"$/);
  });

  it('quectel keeps channels 1 and 2 and answers test forms with a bare OK', async () => {
    const bench = await new Bench({ personality: 'quectel' }).ready();
    expect(await bench.ask('AT+CSIM=?')).toEqual(['OK']);
    expect(await bench.ask(OPEN)).toEqual(['+CSIM: 6,"039000"', 'OK']);
  });

  it('lower-hex, unquoted and upper-hex-only differ in their hex', async () => {
    const lower = await new Bench({ personality: 'lower-hex' }).ready();
    await lower.ask(OPEN);
    await lower.ask(select('01'));
    expect(await lower.ask('AT+CSIM=10,"01C0000014"')).toEqual([
      `+CSIM: 44,"${`6F128410${ISD_R}9000`.toLowerCase()}"`,
      'OK',
    ]);
    const unquoted = await new Bench({ personality: 'unquoted' }).ready();
    expect(await unquoted.ask('AT+CSIM=10,0070000001')).toEqual(['+CSIM: 6,019000', 'OK']);
    const upper = await new Bench({ personality: 'upper-hex-only' }).ready();
    expect(await upper.ask('AT+CSIM=20,"80aa000005a903840101"')).toEqual(['+CME ERROR: 50']);
    expect(await upper.ask('AT+CSIM=20,"80AA000005A903840101"')).toEqual(['+CSIM: 4,"9000"', 'OK']);
  });

  it('an unknown name is refused with the names there are', () => {
    expect(() => new Bench({ personality: 'nokia' })).toThrow(
      /no modem personality "nokia"; there are generic, /,
    );
  });
});
