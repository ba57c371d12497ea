import { describe, expect, it } from 'vitest';
import type { HalEvent, Uicc } from '../../hal/contracts/index.js';
import { AtClient } from '../../hal/modem/at-client.js';
import { GENERIC, type Quirks } from '../../hal/modem/quirks.js';
import { COMBINED_CAPABILITY, TERMINAL_CAPABILITY, type UiccContext } from '../../hal/modem/uicc-base.js';
import { CglaUicc } from '../../hal/modem/uicc-cgla.js';
import { CsimUicc } from '../../hal/modem/uicc-csim.js';
import { VirtualClock } from '../../host-sim/clock.js';
import { lines, ScriptedSerial } from './scripted-serial.js';

const ISD_R = Uint8Array.from(Buffer.from('A0000005591010FFFFFFFF8900000100', 'hex'));
const GET_EID = Uint8Array.from(Buffer.from('80E2910006BF3E035C015A', 'hex'));
const EID_RESPONSE = 'BF3E125A10890330239311100000000780947665769';
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
  options: Partial<UiccContext> & {
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
    timer: clock,
    time: clock,
    quirks: GENERIC,
    maxResponse: 0,
    terminalCapability: TERMINAL_CAPABILITY,
    ...options,
    observe: options.observed ? (event) => events.push(event) : undefined,
    onLost: () => {
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
const RECORDED: Record<string, string | string[]> = {
  [CAPABILITY]: '9000',
  '00708001': '9000',
  '00708002': '6A81',
  '00708003': '9000',
  '0070000001': '059000',
  '41A4040010A0000005591010FFFFFFFF8900000100': '6173',
  '41C0000073': `${FCI}9000`,
  C1E2910006BF3E035C015A: '6115',
  '41C0000015':
    `${EID_RESPONSE}9000`.replace('5769', '57699000').slice(0, 0) +
    'BF3E125A10890330239311100000000780947665769000',
  '00708005': '9000',
};

describe('the card by AT+CSIM', () => {
  it('runs the recorded exchange of at.md §10, whatever the slices and the room of the port', async () => {
    for (const slices of [[1], [3, 2], [1000], [17]]) {
      for (const room of [undefined, 5, 64]) {
        const b = bench('csim', table(RECORDED), { slices, room });
        expect(hexOf(await b.open())).toBe(FCI);
        expect(b.csim.channel).toBe(5);
        expect(await b.transmit()).toEqual({
          sw: 0x9000,
          data: 'BF3E125A1089033023931110000000078094766576',
        });
        await b.clock.run(b.uicc.close());
        expect(b.serial.received.slice(-7)).toEqual(
          [
            'AT+CSIM=10,"0070000001"',
            'AT+CSIM=42,"41A4040010A0000005591010FFFFFFFF8900000100"',
            'AT+CSIM=10,"41C0000073"',
            'AT+CSIM=22,"C1E2910006BF3E035C015A"',
            'AT+CSIM=10,"41C0000015"',
            'AT+CSIM=8,"00708005"',
          ].slice(-7),
        );
      }
    }
  });
});
