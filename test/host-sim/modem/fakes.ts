import type { Card } from '../../../host-sim/card.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import type { SimEvent } from '../../../host-sim/events.js';
import { Network, SimulatedModem, type SimulatedModemOptions } from '../../../host-sim/modem/index.js';

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

/** A small random generator: the same run every time. */
export function seeded(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface FakeProfile {
  iccid: string;
  imsi: string;
}

/** EF_IMSI of TS 31.102 §4.2.2. */
function imsiFile(imsi: string): Uint8Array {
  const nibbles = `${imsi.length % 2 ? '9' : '1'}${imsi}${imsi.length % 2 ? '' : 'F'}`;
  const swapped = nibbles.replace(/(.)(.)/g, '$2$1');
  return Buffer.from(`08${swapped}`.padEnd(18, 'F'), 'hex');
}

export const ISD_R = 'A0000005591010FFFFFFFF8900000100';

/**
 * A card of two profiles. STORE DATA `BF77 01 nn` switches to profile nn (FF = none) with a REFRESH; `BF78 02 nnnn`
 * answers nnnn bytes.
 */
export class FakeCard implements Card {
  profiles: FakeProfile[] = [
    { iccid: '89012300000000000018', imsi: '262011234567890' },
    { iccid: '89012300000000000026', imsi: '310260123456789' },
  ];
  enabled: number | undefined = 0;
  refreshQualifier = 4;
  resets = 0;
  /** Everything the card was told, in hex. */
  log: string[] = [];
  #next: number | undefined;
  #pending = false;
  #profileSent = false;
  #channels = new Map<number, string>();
  #answers = new Map<number, Uint8Array>();
  #file = '';

  reset(): Uint8Array {
    this.resets++;
    this.#apply();
    this.#channels = new Map([[0, 'MF']]);
    this.#answers.clear();
    this.#pending = false;
    this.#profileSent = false;
    this.log.push('reset');
    return Uint8Array.of(0x3b, 0x9f);
  }

  #apply(): void {
    if (this.#next === undefined) return;
    this.enabled = this.#next === 0xff ? undefined : this.#next;
    this.#next = undefined;
  }

  transmit(command: Uint8Array): Uint8Array {
    this.log.push(hex(command));
    const [cla, ins, p1, p2] = command;
    const channel = cla & 0x40 ? (cla & 15) + 4 : cla & 3;
    const data = command.length > 5 ? command.subarray(5, 5 + command[4]) : new Uint8Array();
    const sw = (value: number) => Uint8Array.of(value >> 8, value & 255);
    if (!this.#channels.has(channel)) return sw(0x6881);
    switch (ins) {
      case 0xaa:
        return sw(0x9000);
      case 0x10:
        this.#profileSent = true;
        return sw(0x9000);
      case 0x12:
        return Buffer.from(`D0098103010${1}0${this.refreshQualifier}820281829000`, 'hex');
      case 0x14:
        this.#pending = false;
        if (this.refreshQualifier !== 4) this.#apply();
        return sw(0x9000);
      case 0x70: {
        if (p1 === 0x80) return sw(this.#channels.delete(p2) ? 0x9000 : 0x6881);
        for (let n = 1; n < 20; n++) {
          if (this.#channels.has(n)) continue;
          this.#channels.set(n, 'MF');
          return Uint8Array.of(n, 0x90, 0);
        }
        return sw(0x6a81);
      }
      case 0xa4: {
        const name = hex(data);
        if (p1 === 4) {
          if (name !== ISD_R) return sw(0x6a82);
          this.#channels.set(channel, name);
          return this.#offer(channel, Buffer.from(`6F128410${ISD_R}`, 'hex'));
        }
        const absent = name === '6F07' && this.enabled === undefined;
        if (!['3F00', '2FE2', '7F20', '6F07'].includes(name) || absent) return sw(0x6a82);
        this.#file = name;
        return p2 === 0x0c ? sw(0x9000) : this.#offer(channel, Buffer.from('6205820221210A', 'hex'));
      }
      case 0xb0: {
        const profile = this.profiles[this.enabled ?? 0];
        const iccid = Buffer.from(profile.iccid.replace(/(.)(.)/g, '$2$1'), 'hex');
        const content = this.#file === '2FE2' ? iccid : imsiFile(profile.imsi);
        return Uint8Array.of(...content.subarray(0, command[4] || 256), 0x90, 0);
      }
      case 0xc0: {
        const rest = this.#answers.get(channel);
        if (!rest) return sw(0x6985);
        const part = rest.subarray(0, command[4] || 256);
        return Uint8Array.of(...part, ...this.#left(channel, rest.subarray(part.length)));
      }
      case 0xe2:
        if (this.#channels.get(channel) !== ISD_R) return sw(0x6d00);
        return this.#store(channel, hex(data));
      default:
        return sw(0x6d00);
    }
  }

  #store(channel: number, request: string): Uint8Array {
    if (request.startsWith('BF7701')) {
      this.#next = Number.parseInt(request.slice(6, 8), 16);
      this.#pending = this.#profileSent;
      return this.#offer(channel, Buffer.from('BF7703800100', 'hex'));
    }
    if (request.startsWith('BF7802')) {
      const length = Number.parseInt(request.slice(6, 10), 16);
      return this.#offer(
        channel,
        Uint8Array.from({ length }, (_, i) => i & 255),
      );
    }
    return Uint8Array.of(0x6a, 0x88);
  }

  #offer(channel: number, answer: Uint8Array): Uint8Array {
    return this.#left(channel, answer);
  }

  #left(channel: number, rest: Uint8Array): Uint8Array {
    if (rest.length > 0) {
      this.#answers.set(channel, rest);
      return Uint8Array.of(0x61, rest.length > 255 ? 0 : rest.length);
    }
    this.#answers.delete(channel);
    return this.#pending ? Uint8Array.of(0x91, 0x0b) : Uint8Array.of(0x90, 0);
  }
}

/** A modem on a virtual clock, and a TE that reads like a person. */
export class Bench {
  readonly clock = new VirtualClock();
  readonly card: FakeCard;
  readonly network: Network;
  readonly events: SimEvent[] = [];
  readonly modem: SimulatedModem;
  received = '';
  /** Length and moment of every slice. */
  slices: { at: number; length: number }[] = [];
  #line;

  constructor(options: Partial<SimulatedModemOptions> & { card?: FakeCard; network?: Network } = {}) {
    this.card = options.card ?? new FakeCard();
    this.network = options.network ?? new Network();
    this.modem = new SimulatedModem({
      clock: this.clock,
      random: seeded(),
      baud: 0,
      apduMilliseconds: 0,
      simResetMilliseconds: 1000,
      attachMilliseconds: 3000,
      observe: (event) => this.events.push(event),
      ...options,
      card: this.card,
      network: this.network,
    });
    this.#line = this.connect();
  }

  connect() {
    return this.modem.connectTe((bytes) => {
      this.slices.push({ at: this.clock.ticks, length: bytes.length });
      this.received += Buffer.from(bytes).toString('latin1');
    });
  }

  type(text: string): void {
    this.#line.write(Buffer.from(text, 'latin1'));
  }

  leave(): void {
    this.#line.close();
  }

  /** Everything that comes within `wait` milliseconds after a command. */
  async raw(command: string, wait = 100): Promise<string> {
    this.received = '';
    this.slices = [];
    this.type(`${command}\r`);
    await this.clock.advance(wait);
    return this.received;
  }

  /** The lines that come, without echo. */
  async ask(command: string, wait = 100): Promise<string[]> {
    const text = await this.raw(command, wait);
    return text
      .split('\n')
      .map((line) => line.replace(/\r/g, ''))
      .filter((line) => line !== '' && line !== command);
  }

  /** Past power-up and registration, echo off, numeric errors. */
  async ready(): Promise<this> {
    await this.clock.advance(6000);
    await this.ask('ATE0');
    await this.ask('AT+CMEE=1');
    this.received = '';
    return this;
  }

  get happenings(): string[] {
    return this.events.flatMap((event) => (event.event === 'sim-modem' ? [event.what] : []));
  }
}
