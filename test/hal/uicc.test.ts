import { describe, expect, it } from 'vitest';
import type { HalEvent, Uicc } from '../../hal/contracts/index.js';
import { AtClient } from '../../hal/modem/at-client.js';
import { GENERIC, type Quirks } from '../../hal/modem/quirks.js';
import { CglaUicc } from '../../hal/modem/uicc-cgla.js';
import {
  COMBINED_CAPABILITY,
  TERMINAL_CAPABILITY,
  type UiccContext,
  type UiccOptions,
} from '../../hal/modem/uicc-context.js';
import { CsimUicc } from '../../hal/modem/uicc-csim.js';
import { VirtualClock } from '../../host-sim/clock.js';
import { lines, ScriptedSerial } from './scripted-serial.js';

const ISD_R = Uint8Array.from(Buffer.from('A0000005591010FFFFFFFF8900000100', 'hex'));
const GET_EID = Uint8Array.from(Buffer.from('80E2910006BF3E035C015A', 'hex'));
const EID_RESPONSE = 'BF3E125A1089033023931110000000078094766576';
const CAPABILITY = hexOf(Uint8Array.from(TERMINAL_CAPABILITY));
const COMBINED = hexOf(Uint8Array.from(COMBINED_CAPABILITY));

function hexOf(bytes: ArrayLike<number>): string {
  return Buffer.from(Array.from(bytes)).toString('hex').toUpperCase();
}

class Collector {
  text = '';
  write(bytes: Uint8Array): void {
    this.text += hexOf(bytes);
  }
}

interface Bench {
  clock: VirtualClock;
  serial: ScriptedSerial;
  uicc: Uicc;
  csim: CsimUicc;
  cgla: CglaUicc;
  client: AtClient;
  lost: number;
  events: HalEvent[];
  open(): Promise<Uint8Array>;
  transmit(command?: Uint8Array): Promise<{ sw: number; data: string }>;
}

type Answer = (apdu: string, line: string) => string | undefined;

/** @param apdu answers one APDU (hex) with hex, or with a whole error line, or with undefined for silence */
function bench(
  access: 'csim' | 'cgla',
  apdu: Answer,
  options: Partial<UiccOptions> & {
    quirks?: Quirks;
    slices?: number[];
    room?: number;
    observed?: boolean;
  } = {},
): Bench {
  const clock = new VirtualClock();
  const events: HalEvent[] = [];
  const serial = new ScriptedSerial({
    clock,
    slices: options.slices ?? [7, 1, 30],
    room: options.room,
    answer: (line) => {
      const match = /^AT\+(CSIM=|CGLA=[^,]*,)(\d+),"([0-9A-F]*)"$/.exec(line);
      if (line === 'AT') return lines('OK');
      if (!match) {
        const other = apdu('', line);
        return other === undefined ? undefined : lines(...other.split('|'));
      }
      expect(Number(match[2])).toBe(match[3].length);
      const response = apdu(match[3], line);
      if (response === undefined) return undefined;
      if (!/^[0-9A-Fa-f]+$/.test(response)) return lines(response);
      return lines(`+${line.slice(3, 7)}: ${response.length},"${response}"`, 'OK');
    },
  });
  const client = new AtClient({ serial: serial.configuration, timer: clock, time: clock });
  client.open();
  const self = { lost: 0 };
  const context: UiccContext = {
    client,
    quirks: options.quirks ?? GENERIC,
    options: {
      ...options,
      timer: clock,
      time: clock,
      observe: options.observed ? (event) => events.push(event) : undefined,
    },
    simLost: () => {
      self.lost++;
    },
  };
  const csim = new CsimUicc(context);
  const cgla = new CglaUicc(context);
  const uicc = access === 'csim' ? csim : cgla;
  return {
    clock,
    serial,
    uicc,
    csim,
    cgla,
    client,
    events,
    get lost() {
      return self.lost;
    },
    open: () => clock.run(uicc.open(ISD_R)),
    async transmit(command = GET_EID) {
      const sink = new Collector();
      const sw = await clock.run(uicc.transmit(command, sink));
      return { sw, data: sink.text };
    },
  };
}

/** A card by table; a list is used up in order, its last entry stays. */
function table(entries: Record<string, string | string[]>): Answer {
  const used = new Map<string, number>();
  return (apdu, line) => {
    const key = apdu === '' ? line : apdu;
    const entry = entries[key];
    if (entry === undefined) return apdu === '' ? 'ERROR' : '6D00';
    if (typeof entry === 'string') return entry;
    const n = used.get(key) ?? 0;
    used.set(key, n + 1);
    return entry[Math.min(n, entry.length - 1)];
  };
}

/** The recorded exchange of at.md §10. */
const FCI =
  '6F718410A0000005591010FFFFFFFF8900000100A557734806072A864886FC6B01600B06092A864886FC6B020203630906072A864886FC6B03650D060B2A864886FC6B05040200006616060A2B060104012A026E0103060847544F30344D010B9F6E06007760B0010B9F6501FFE104800206C0';
const SELECT_5 = '41A4040010A0000005591010FFFFFFFF8900000100';
const RECORDED: Record<string, string | string[]> = {
  [CAPABILITY]: '9000',
  '00708001': '9000',
  '00708002': '6A81',
  '00708003': '9000',
  '0070000001': '059000',
  [SELECT_5]: '6173',
  '41C0000073': `${FCI}9000`,
  C1E2910006BF3E035C015A: '6115',
  '41C0000015': `${EID_RESPONSE}9000`,
  '00708005': '9000',
};

/** APDUs of the command lines, in order. */
function apdus(serial: ScriptedSerial): string[] {
  return serial.received.flatMap((line) => /^AT\+(?:CSIM|CGLA)=.*"([0-9A-F]*)"$/.exec(line)?.[1] ?? []);
}

describe('the card by AT+CSIM', () => {
  it('runs the recorded exchange of at.md §10, whatever the slices and the room of the port', async () => {
    for (const slices of [[1], [3, 2], [1000], [17]]) {
      for (const room of [undefined, 5, 64]) {
        const b = bench('csim', table(RECORDED), { slices, room });
        expect(hexOf(await b.open())).toBe(FCI);
        expect(b.csim.channel).toBe(5);
        expect(await b.transmit()).toEqual({ sw: 0x9000, data: EID_RESPONSE });
        await b.clock.run(b.uicc.close());
        expect(b.serial.received).toEqual([
          'AT+CSIM=8,"00708001"',
          'AT+CSIM=8,"00708002"',
          'AT+CSIM=8,"00708003"',
          'AT+CSIM=20,"80AA000005A903840101"',
          'AT+CSIM=10,"0070000001"',
          'AT+CSIM=42,"41A4040010A0000005591010FFFFFFFF8900000100"',
          'AT+CSIM=10,"41C0000073"',
          'AT+CSIM=22,"C1E2910006BF3E035C015A"',
          'AT+CSIM=10,"41C0000015"',
          'AT+CSIM=8,"00708005"',
        ]);
      }
    }
  });

  it.each([
    [1, '01', '81'],
    [3, '03', '83'],
    [4, '40', 'C0'],
    [19, '4F', 'CF'],
  ])('codes channel %i as class %s and %s', async (channel, interindustry, proprietary) => {
    const b = bench('csim', (apdu) => {
      if (apdu === '0070000001') return `${hexOf([channel])}9000`;
      return '9000';
    });
    await b.open();
    await b.transmit();
    const [select, store] = apdus(b.serial).slice(-2);
    expect(select.slice(0, 4)).toBe(`${interindustry}A4`);
    expect(store).toBe(`${proprietary}E2910006BF3E035C015A`);
  });

  it.each([
    ['no channel', '0070000001', '6A81', 'noChannel'],
    ['channel 0', '0070000001', '009000', 'malformed'],
    ['channel 20', '0070000001', '149000', 'malformed'],
    ['no data', '0070000001', '9000', 'malformed'],
    ['a modem that refuses', '0070000001', 'ERROR', 'noChannel'],
    ['no ISD-R', SELECT_5, '6A82', 'noApplication'],
    ['a blocked ISD-R', SELECT_5, '6999', 'noApplication'],
    ['no channels at SELECT', SELECT_5, '6881', 'noChannel'],
    ['a modem that refuses SELECT', SELECT_5, 'ERROR', 'refused'],
  ])('open() with %s', async (_, apdu, answer, code) => {
    const b = bench('csim', table({ ...RECORDED, [apdu]: answer }));
    await expect(b.open()).rejects.toMatchObject({ name: 'UiccError', code });
    // Nothing stays open behind a failure.
    if (apdu === SELECT_5) expect(apdus(b.serial).at(-1)).toBe('00708005');
    await expect(b.transmit()).rejects.toMatchObject({ code: 'channelLost' });
    expect(b.lost).toBe(0);
  });

  it('selects with P2 04 when 00 is refused with 6A86', async () => {
    const b = bench(
      'csim',
      table({ ...RECORDED, [SELECT_5]: '6A86', [SELECT_5.replace('A40400', 'A40404')]: '6173' }),
    );
    expect(hexOf(await b.open())).toBe(FCI);
  });

  it('gets on without FCI', async () => {
    for (const failure of ['6E00', 'ERROR', '6F00']) {
      const b = bench('csim', table({ ...RECORDED, '41C0000073': failure, C1C0000073: failure }));
      expect((await b.open()).length).toBe(0);
      expect((await b.transmit()).data).toBe(EID_RESPONSE);
    }
  });

  it('gets responses with the other class when the card says 6E00, and remembers it', async () => {
    const b = bench(
      'csim',
      table({
        ...RECORDED,
        '41C0000073': '6E00',
        '41C0000015': '6E00',
        C1C0000073: `${FCI}9000`,
        C1C0000015: `${EID_RESPONSE}9000`,
      }),
    );
    // The proprietary class of channel 5 is C1.
    expect(hexOf(await b.open())).toBe(FCI);
    expect((await b.transmit()).data).toBe(EID_RESPONSE);
    expect(apdus(b.serial).slice(-2)).toEqual(['C1E2910006BF3E035C015A', 'C1C0000015']);
  });

  it('closes with 5 bytes when 4 are refused with 6700', async () => {
    const b = bench('csim', table({ ...RECORDED, '00708005': '6700', '0070800500': '9000' }));
    await b.open();
    await b.clock.run(b.uicc.close());
    expect(apdus(b.serial).slice(-2)).toEqual(['00708005', '0070800500']);
  });

  it('closes stale channels at the first open() only, and again when no channel is free', async () => {
    const b = bench(
      'csim',
      table({
        ...RECORDED,
        '0070000001': ['059000', '6A81', '029000'],
        '02A4040010A0000005591010FFFFFFFF8900000100': '9000',
      }),
    );
    await b.open();
    await b.open();
    expect(b.csim.channel).toBe(2);
    expect(apdus(b.serial)).toEqual([
      '00708001',
      '00708002',
      '00708003',
      CAPABILITY,
      '0070000001',
      SELECT_5,
      '41C0000073',
      '00708005',
      CAPABILITY,
      '0070000001',
      '00708001',
      '00708002',
      '00708003',
      '0070000001',
      '02A4040010A0000005591010FFFFFFFF8900000100',
    ]);
  });

  describe('status words', () => {
    const STORE = 'C1E2910006BF3E035C015A';

    it('collects 61xx round by round', async () => {
      const b = bench(
        'csim',
        table({
          ...RECORDED,
          [STORE]: '6100',
          '41C0000000': [`${'AA'.repeat(256)}6100`, `${'BB'.repeat(256)}6103`],
          '41C0000003': 'CCCCCC9000',
        }),
      );
      await b.open();
      const { sw, data } = await b.transmit();
      expect(sw).toBe(0x9000);
      expect(data).toBe(`${'AA'.repeat(256) + 'BB'.repeat(256)}CCCCCC`);
    });

    it('takes data together with 9000 from a modem that resolves 61xx itself', async () => {
      const b = bench('csim', table({ ...RECORDED, [STORE]: `${EID_RESPONSE}9000` }));
      await b.open();
      expect(await b.transmit()).toEqual({ sw: 0x9000, data: EID_RESPONSE });
    });

    it('takes data together with 61xx and fetches the rest', async () => {
      const b = bench('csim', table({ ...RECORDED, [STORE]: 'AABB6102', '41C0000002': 'CCDD9000' }));
      await b.open();
      expect(await b.transmit()).toEqual({ sw: 0x9000, data: 'AABBCCDD' });
    });

    it('sends the command again with Le on 6Cxx, also GET RESPONSE', async () => {
      const b = bench(
        'csim',
        table({
          ...RECORDED,
          [STORE]: '6C04',
          [`${STORE}04`]: '6105',
          '41C0000005': '6C02',
          '41C0000002': 'AABB9000',
        }),
      );
      await b.open();
      expect(await b.transmit()).toEqual({ sw: 0x9000, data: 'AABB' });
    });

    it.each(['910B', '6283', '63C1', '6A88', '6985', '6A80'])('returns %s as it is', async (text) => {
      const b = bench('csim', table({ ...RECORDED, [STORE]: ['9000', text] }));
      await b.open();
      await b.transmit();
      expect(await b.transmit()).toEqual({ sw: Number.parseInt(text, 16), data: '' });
      expect(b.lost).toBe(0);
    });

    it('returns 91xx behind a response', async () => {
      const b = bench('csim', table({ ...RECORDED, '41C0000015': `${EID_RESPONSE}910B` }));
      await b.open();
      expect(await b.transmit()).toEqual({ sw: 0x910b, data: EID_RESPONSE });
    });

    it('asks for no more than maxResponse at a time', async () => {
      const whole = hexOf(Array.from({ length: 100 }, (_, i) => i));
      const others = table({ ...RECORDED, [SELECT_5]: '9000', [STORE]: '6164' });
      const asked: number[] = [];
      let at = 0;
      const b = bench(
        'csim',
        (apdu, line) => {
          if (!apdu.startsWith('41C0')) return others(apdu, line);
          const count = Number.parseInt(apdu.slice(8), 16);
          asked.push(count);
          const part = whole.slice(2 * at, 2 * (at + count));
          at += count;
          return part + (at < 100 ? `61${hexOf([100 - at])}` : '9000');
        },
        { maxResponse: 48 },
      );
      await b.open();
      expect(await b.transmit()).toEqual({ sw: 0x9000, data: whole });
      expect(asked).toEqual([48, 48, 4]);
    });

    it('asks for short pieces once a long one got lost', async () => {
      const whole = hexOf(Array.from({ length: 100 }, (_, i) => i));
      const others = table({ ...RECORDED, [SELECT_5]: '9000', [STORE]: '6164' });
      const asked: number[] = [];
      let at = 0;
      let mangled = 1;
      const b = bench('csim', (apdu, line) => {
        if (apdu === STORE) at = 0;
        if (!apdu.startsWith('41C0')) return others(apdu, line);
        const count = Number.parseInt(apdu.slice(8), 16);
        asked.push(count);
        if (mangled-- > 0) return `${whole.slice(0, 2 * count - 1)}9000`;
        const part = whole.slice(2 * at, 2 * (at + count));
        at += count;
        return part + (at < 100 ? `61${hexOf([100 - at])}` : '9000');
      });
      await b.open();
      await expect(b.transmit()).rejects.toMatchObject({ code: 'malformed' });
      expect(await b.transmit()).toEqual({ sw: 0x9000, data: whole });
      expect(asked).toEqual([100, 48, 48, 4]);
    });

    it('does not follow 61xx for ever, with or without data', async () => {
      const endless = bench('csim', table({ ...RECORDED, '41C0000015': 'AA6115' }), { slices: [100] });
      await endless.open();
      await expect(endless.transmit()).rejects.toMatchObject({ code: 'malformed' });
      const b = bench('csim', table({ ...RECORDED, '41C0000015': '6115' }));
      await b.open();
      await expect(b.transmit()).rejects.toMatchObject({ code: 'malformed' });
    });
  });

  describe('a lost channel', () => {
    it.each(['6881', '6999', '+CME ERROR: 0', '+CME ERROR: 13', '+CME ERROR: SIM failure', '+CME ERROR: 10'])(
      'is what %s means',
      async (answer) => {
        const b = bench('csim', table({ ...RECORDED, C1E2910006BF3E035C015A: answer }));
        await b.open();
        await expect(b.transmit()).rejects.toMatchObject({ name: 'UiccError', code: 'channelLost' });
        expect(b.lost).toBe(1);
        const before = b.serial.received.length;
        await expect(b.transmit()).rejects.toMatchObject({ code: 'channelLost' });
        expect(b.serial.received.length).toBe(before);
        await b.open();
      },
    );

    it.each(['ERROR', '+CME ERROR: 3', '+CME ERROR: 50'])('is not what %s means', async (answer) => {
      const b = bench('csim', table({ ...RECORDED, C1E2910006BF3E035C015A: [answer, '6115'] }));
      await b.open();
      await expect(b.transmit()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining(answer),
      });
      expect((await b.transmit()).data).toBe(EID_RESPONSE);
      expect(b.lost).toBe(0);
    });

    it('is what a bare ERROR means when the channel takes nothing any more', async () => {
      const dead = { C1E2910006BF3E035C015A: 'ERROR', C1F2000000: 'ERROR' };
      const b = bench('csim', table({ ...RECORDED, ...dead }));
      await b.open();
      await expect(b.transmit()).rejects.toMatchObject({ code: 'channelLost' });
      expect(b.lost).toBe(1);
    });

    it('is found out by check()', async () => {
      const b = bench('csim', table({ ...RECORDED, C1F2000000: ['6D00', '6881'] }));
      await b.open();
      await b.clock.run(b.csim.check());
      expect(b.lost).toBe(0);
      await b.clock.run(b.csim.check());
      expect(b.lost).toBe(1);
      expect(b.csim.isOpen).toBe(false);
    });
  });

  it('waits while the card is busy, within the deadline', async () => {
    const store = 'C1E2910006BF3E035C015A';
    for (const busy of ['+CME ERROR: 14', '+CME ERROR: SIM busy', '+CME ERROR: 515']) {
      const b = bench(
        'csim',
        table({ ...RECORDED, '0070000001': [busy, busy, '059000'], [store]: [busy, busy, busy, '6115'] }),
      );
      await b.open();
      expect((await b.transmit()).data).toBe(EID_RESPONSE);
      expect(b.clock.ticks).toBeGreaterThan(4_000);
    }
    const b = bench('csim', table({ ...RECORDED, [store]: '+CME ERROR: 14' }));
    await b.open();
    const start = b.clock.ticks;
    await expect(b.transmit()).rejects.toMatchObject({ code: 'refused' });
    expect(b.clock.ticks - start).toBeLessThanOrEqual(10_000);
  });

  it('turns silence into a timeout, and can go on', async () => {
    let silent = true;
    const answers = table(RECORDED);
    const b = bench('csim', (apdu, line) =>
      apdu.startsWith('C1E2') && silent ? undefined : answers(apdu, line),
    );
    await b.open();
    await expect(b.transmit()).rejects.toMatchObject({ name: 'UiccError', code: 'timeout' });
    silent = false;
    expect((await b.transmit()).data).toBe(EID_RESPONSE);
  });

  describe('TERMINAL CAPABILITY (Q21)', () => {
    it('is sent again in the combined form and after the channel is open when the card refuses it', async () => {
      const b = bench('csim', table({ ...RECORDED, [CAPABILITY]: ['6985', '9000'], [COMBINED]: '6D00' }));
      await b.open();
      expect(apdus(b.serial).slice(3)).toEqual([
        CAPABILITY,
        COMBINED,
        '0070000001',
        SELECT_5,
        '41C0000073',
        CAPABILITY,
      ]);
    });

    it('does not stand in the way when the modem refuses it', async () => {
      const b = bench('csim', table({ ...RECORDED, [CAPABILITY]: 'ERROR', [COMBINED]: 'ERROR' }));
      await b.open();
      expect((await b.transmit()).data).toBe(EID_RESPONSE);
    });

    it('is repeated in the combined form when the first ES10 command gives 6985', async () => {
      const b = bench(
        'csim',
        table({ ...RECORDED, [COMBINED]: '9000', C1E2910006BF3E035C015A: ['6985', '6115', '6985'] }),
      );
      await b.open();
      expect(await b.transmit()).toEqual({ sw: 0x9000, data: EID_RESPONSE });
      expect((await b.transmit()).sw).toBe(0x6985);
      expect(apdus(b.serial).filter((apdu) => apdu === COMBINED).length).toBe(1);
    });

    it('can be replaced or left out', async () => {
      const b = bench('csim', table(RECORDED), { terminalCapability: [] });
      await b.open();
      expect(apdus(b.serial)).not.toContain(CAPABILITY);
      const c = bench('csim', table({ ...RECORDED, [COMBINED]: '9000' }), {
        terminalCapability: COMBINED_CAPABILITY,
      });
      await c.open();
      expect(apdus(c.serial)).toContain(COMBINED);
      expect(apdus(c.serial)).not.toContain(CAPABILITY);
    });
  });

  it('appends Le to the last block and SELECT only where the modem needs it', async () => {
    const quirks = { ...GENERIC, leWithData: true };
    const b = bench(
      'csim',
      table({ ...RECORDED, [`${SELECT_5}00`]: '9000', C1E2910006BF3E035C015A00: `${EID_RESPONSE}9000` }),
      { quirks },
    );
    await b.open();
    expect((await b.transmit()).data).toBe(EID_RESPONSE);
    await b.transmit(Uint8Array.from([0x80, 0xe2, 0x11, 0, 1, 0xaa]));
    expect(apdus(b.serial).at(-1)).toBe('C1E2110001AA');
  });

  it('uses the basic channel where the modem has nothing else', async () => {
    const quirks = { ...GENERIC, basicChannel: true };
    const b = bench('csim', () => '9000', { quirks });
    await b.open();
    await b.transmit();
    await b.clock.run(b.uicc.close());
    expect(apdus(b.serial)).toEqual([
      CAPABILITY,
      '00A4040010A0000005591010FFFFFFFF8900000100',
      '80E2910006BF3E035C015A',
    ]);
  });

  it('shows an observer whole APDUs as the IPA means them', async () => {
    const b = bench('csim', table(RECORDED), { observed: true });
    await b.open();
    await b.transmit();
    const seen = b.events.flatMap((event) =>
      event.event === 'apdu'
        ? [`${hexOf(event.command)} → ${hexOf(event.response)} ${event.sw.toString(16)}`]
        : [],
    );
    expect(seen.slice(-2)).toEqual([
      `00A4040010A0000005591010FFFFFFFF8900000100 → ${FCI} 9000`,
      `80E2910006BF3E035C015A → ${EID_RESPONSE} 9000`,
    ]);
  });

  it('refuses two commands at once', async () => {
    const b = bench('csim', table(RECORDED));
    await b.open();
    const first = b.uicc.transmit(GET_EID, new Collector());
    await expect(b.uicc.transmit(GET_EID, new Collector())).rejects.toMatchObject({ code: 'usage' });
    expect(await b.clock.run(first)).toBe(0x9000);
  });
});

describe('the card by AT+CCHO and AT+CGLA', () => {
  const OPEN = 'AT+CCHO="A0000005591010FFFFFFFF8900000100"';
  const BASE: Record<string, string | string[]> = {
    [OPEN]: '+CCHO: 1|OK',
    'AT+CCHC=1': 'OK',
    [CAPABILITY]: '9000',
    '80E2910006BF3E035C015A': '6115',
    '00C0000015': `${EID_RESPONSE}9000`,
  };

  it.each([
    ['+CCHO: 1', '1'],
    ['+CCHO:1', '1'],
    ['+CCHO: "2"', '2'],
    ['3', '3'],
    ['+CCHO: 00000000038aa32f', '00000000038aa32f'],
    ['00000000038aa32f', '00000000038aa32f'],
  ])('repeats the handle of %s verbatim', async (answer, handle) => {
    const b = bench(
      'cgla',
      table({ ...BASE, [OPEN]: `+CREG: 2|${answer}|+CPIN: READY|OK`, [`AT+CCHC=${handle}`]: '+CCHC|OK' }),
    );
    expect((await b.open()).length).toBe(0);
    expect(b.cgla.session).toBe(handle);
    expect(await b.transmit()).toEqual({ sw: 0x9000, data: EID_RESPONSE });
    await b.clock.run(b.uicc.close());
    expect(b.serial.received.slice(-3)).toEqual([
      `AT+CGLA=${handle},22,"80E2910006BF3E035C015A"`,
      `AT+CGLA=${handle},10,"00C0000015"`,
      `AT+CCHC=${handle}`,
    ]);
  });

  it('closes sessions 1 to 4 before the first open() and when opening fails', async () => {
    const b = bench('cgla', table({ ...BASE, [OPEN]: ['+CME ERROR: 13', '+CCHO: 1|OK'] }));
    await b.open();
    const closes = ['AT+CCHC=1', 'AT+CCHC=2', 'AT+CCHC=3', 'AT+CCHC=4'];
    expect(b.serial.received.filter((line) => line.startsWith('AT+CC'))).toEqual([
      ...closes,
      OPEN,
      ...closes,
      OPEN,
    ]);
  });

  it('reports a modem that cannot open', async () => {
    for (const answer of ['ERROR', '+CME ERROR: 22', '+CME ERROR: Parameters error']) {
      const b = bench('cgla', table({ ...BASE, [OPEN]: answer }));
      await expect(b.open()).rejects.toMatchObject({
        code: 'noChannel',
        message: expect.stringContaining(answer),
      });
    }
    const b = bench('cgla', table({ ...BASE, [OPEN]: '+CCHO: |OK' }));
    await expect(b.open()).rejects.toMatchObject({ code: 'malformed' });
  });

  it('adds the channel bits when the modem does not, and remembers that', async () => {
    for (const refusal of ['6881', '6E00']) {
      const b = bench(
        'cgla',
        table({
          ...BASE,
          [OPEN]: '+CCHO: 5|OK',
          '80E2910006BF3E035C015A': refusal,
          C1E2910006BF3E035C015A: '6115',
          '41C0000015': `${EID_RESPONSE}9000`,
        }),
      );
      await b.open();
      expect((await b.transmit()).data).toBe(EID_RESPONSE);
      expect((await b.transmit()).data).toBe(EID_RESPONSE);
      expect(apdus(b.serial).slice(1)).toEqual([
        '80E2910006BF3E035C015A',
        'C1E2910006BF3E035C015A',
        '41C0000015',
        'C1E2910006BF3E035C015A',
        '41C0000015',
      ]);
    }
  });

  it('has no channel bits to add for a handle that is no small number', async () => {
    for (const handle of ['00000000038aa32f', '20', '1A']) {
      const b = bench(
        'cgla',
        table({ ...BASE, [OPEN]: `+CCHO: ${handle}|OK`, '80E2910006BF3E035C015A': '6881' }),
      );
      await b.open();
      await expect(b.transmit()).rejects.toMatchObject({ code: 'channelLost' });
      expect(apdus(b.serial).slice(1)).toEqual(['80E2910006BF3E035C015A']);
    }
  });

  it('sends TERMINAL CAPABILITY in the session when AT+CSIM does not work', async () => {
    const answers = table(BASE);
    const b = bench('cgla', (apdu, line) => (line.startsWith('AT+CSIM') ? 'ERROR' : answers(apdu, line)));
    await b.open();
    expect(b.serial.received.slice(4)).toEqual([
      'AT+CSIM=20,"80AA000005A903840101"',
      OPEN,
      'AT+CGLA=1,20,"80AA000005A903840101"',
    ]);
    await b.open();
    expect(b.serial.received.filter((line) => line.startsWith('AT+CSIM')).length).toBe(1);
  });

  it('selects by itself where session 0 is always there', async () => {
    const quirks = { ...GENERIC, fixedSession: '0' };
    const b = bench('cgla', table({ ...BASE, '00A4040010A0000005591010FFFFFFFF8900000100': `${FCI}9000` }), {
      quirks,
    });
    expect(hexOf(await b.open())).toBe(FCI);
    expect((await b.transmit()).data).toBe(EID_RESPONSE);
    await b.clock.run(b.uicc.close());
    expect(b.serial.received.some((line) => /CCHO|CCHC/.test(line))).toBe(false);
    expect(b.serial.received.at(-1)).toBe('AT+CGLA=0,10,"00C0000015"');
  });

  it.each(['6881', '6999', '+CME ERROR: 22', '+CME ERROR: 100'])(
    'loses its channel with %s',
    async (answer) => {
      const b = bench(
        'cgla',
        table({ ...BASE, '80E2910006BF3E035C015A': ['6115', answer], '81E2910006BF3E035C015A': answer }),
      );
      await b.open();
      await b.transmit();
      await expect(b.transmit()).rejects.toMatchObject({ code: 'channelLost' });
      expect(b.lost).toBe(1);
    },
  );
});
