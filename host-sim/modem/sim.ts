import type { Card } from '../card.js';
import type { Clock } from '../clock.js';
import type { SimEvent } from '../events.js';
import {
  classForChannel,
  getResponse,
  type ProactiveCommand,
  REFRESH,
  readProactive,
  responseData,
  statusWord,
  terminalResponse,
  UICC_RESET,
} from './apdu.js';
import { CmeError } from './error.js';
import { swappedDigits } from './hex.js';
import type { Personality } from './personality.js';

/** `cutBefore`: power fails before the card sees the APDU; `cutAfter`: when it has been carried out, answer lost. */
export type Cut = 'ok' | 'cutBefore' | 'cutAfter';

interface SimOptions {
  card: Card;
  clock: Clock;
  random: () => number;
  personality: Personality;
  /** Time of one exchange. */
  apduMilliseconds: number | ((apdu: Uint8Array) => number);
  /** From card down to card up. */
  simResetMilliseconds: number;
  beforeApdu?: (n: number, apdu: Uint8Array) => Cut;
  /** The card threw, its store most likely: power is cut, as a card that cannot write would be useless. Rethrown when absent. */
  cardFailed?: (error: unknown) => void;
  /** Power is to be cut. */
  cut: () => void;
  /** The card went down. */
  lost: () => void;
  /** The card is up, or its files have been read again. */
  ready: () => void;
  observe: (event: SimEvent) => void;
}

/** TERMINAL PROFILE of a terminal with the usual toolkit, REFRESH included. */
const TERMINAL_PROFILE = [0x80, 0x10, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x11, 0, 0xdf, 0xd7];
/** The modem knows nothing of an IPAd: additional interfaces none, no tag 84. */
const TERMINAL_CAPABILITY = [0x80, 0xaa, 0, 0, 5, 0xa9, 3, 0x82, 1, 0];
const MOST_PROACTIVE_COMMANDS = 16;

/** The modem's side of the card: power, channels and sessions, the toolkit, the files it reads for itself. */
export class Sim {
  /** off: no power; busy: coming up; dropped: contact lost until the next power cycle. */
  state: 'off' | 'busy' | 'ready' | 'dropped' = 'off';
  /** EF_ICCID as read when the card came up, 10 bytes. */
  iccid: Uint8Array | undefined;
  /** Digits; undefined without an enabled profile. */
  imsi: string | undefined;
  /** Exchanges with the card, the modem's own included. */
  exchanges = 0;
  readonly #options: SimOptions;
  readonly #sessions = new Map<string, number>();
  #card: Card;
  /** Counts power-downs of the card: what began under another number has nothing to say any more. */
  #epoch = 0;
  #powered = 0;
  #free = 0;
  #fetch = 0;

  constructor(options: SimOptions) {
    this.#options = options;
    this.#card = options.card;
  }

  insert(card: Card): void {
    this.#card = card;
  }

  /** Powers the card up after `milliseconds` and reads it. */
  activate(milliseconds = this.#options.simResetMilliseconds): void {
    this.#epoch++;
    this.state = 'busy';
    void this.#start(this.#epoch, milliseconds);
  }

  /** Powers the card down: channels, sessions and everything known about it are gone. */
  deactivate(): void {
    const known = this.state !== 'off';
    this.#forget('off');
    if (!known) return;
    this.#options.observe({ event: 'sim-modem', what: 'simOff' });
    this.#options.lost();
  }

  /** Modem and card lose power together. Nothing that is under way ever ends. */
  powerOff(): void {
    this.#powered++;
    this.#forget('off');
  }

  /** Contact is lost and the modem does not tell. */
  drop(): void {
    this.#forget('dropped');
  }

  #forget(state: 'off' | 'dropped'): void {
    this.#epoch++;
    this.state = state;
    this.iccid = undefined;
    this.imsi = undefined;
    this.#fetch = 0;
    this.#sessions.clear();
  }

  /** One exchange on behalf of the TE. @throws CmeError when the card is not to be had */
  async forTe(apdu: Uint8Array): Promise<Uint8Array> {
    this.demandReady();
    return this.#exchange(apdu);
  }

  /** @throws CmeError when the card is not to be had */
  demandReady(): void {
    if (this.state === 'off') throw new CmeError(13);
    if (this.state === 'busy') throw new CmeError(14);
    if (this.state === 'dropped') throw new CmeError(0);
  }

  async #exchange(apdu: Uint8Array): Promise<Uint8Array> {
    const { clock, apduMilliseconds, beforeApdu } = this.#options;
    const epoch = this.#epoch;
    const powered = this.#powered;
    const takes = typeof apduMilliseconds === 'number' ? apduMilliseconds : apduMilliseconds(apdu);
    const start = Math.max(clock.ticks, this.#free);
    this.#free = start + takes;
    if (this.#free > clock.ticks) await this.#pause(this.#free - clock.ticks);
    if (powered !== this.#powered) return never();
    if (epoch !== this.#epoch) throw new CmeError(13);
    const n = ++this.exchanges;
    const cut = beforeApdu?.(n, apdu) ?? 'ok';
    if (cut === 'cutBefore') return this.#cut();
    const response = this.#ask((card) => card.transmit(apdu));
    if (!response || cut === 'cutAfter') return this.#cut();
    if (response.length >= 2 && response[response.length - 2] === 0x91) {
      this.#fetch = response[response.length - 1] || 256;
    }
    return response;
  }

  /** @returns undefined when the card failed */
  #ask(question: (card: Card) => Uint8Array): Uint8Array | undefined {
    try {
      return question(this.#card);
    } catch (error) {
      if (!this.#options.cardFailed) throw error;
      this.#options.cardFailed(error);
      return undefined;
    }
  }

  #cut(): Promise<never> {
    this.#options.cut();
    return never();
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.set(resolve, milliseconds);
    });
  }

  // --- coming up ---

  async #start(epoch: number, milliseconds: number): Promise<void> {
    const powered = this.#powered;
    await this.#pause(milliseconds);
    if (epoch !== this.#epoch || powered !== this.#powered) return;
    this.#free = 0;
    if (!this.#ask((card) => card.reset())) return this.#cut();
    try {
      await this.#exchange(Uint8Array.from(TERMINAL_CAPABILITY));
      for (let i = 0; i < this.#options.personality.reservedChannels; i++) {
        await this.#exchange(Uint8Array.of(0x00, 0x70, 0x00, 0x00, 0x01));
      }
      await this.#exchange(Uint8Array.from(TERMINAL_PROFILE));
      await this.#readFiles();
    } catch (error) {
      if (error instanceof CmeError) return;
      throw error;
    }
    this.state = 'ready';
    this.#options.observe({ event: 'sim-modem', what: 'simOn', detail: this.#known() });
    this.#options.ready();
    this.settle();
  }

  #known(): Record<string, unknown> {
    return { iccid: this.iccid ? swappedDigits(this.iccid) : null, imsi: this.imsi ?? null };
  }

  async #readFiles(): Promise<void> {
    const iccid = await this.#file([0x3f00, 0x2fe2], 10);
    // Without an enabled profile the file may be there, blank.
    this.iccid = iccid?.every((byte) => byte === 0xff) ? undefined : iccid;
    const imsi =
      (await this.#file([0x3f00, 0x7ff0, 0x6f07], 9)) ?? (await this.#file([0x3f00, 0x7f20, 0x6f07], 9));
    this.imsi = imsi && imsiDigits(imsi);
  }

  async #file(path: readonly number[], length: number): Promise<Uint8Array | undefined> {
    for (const id of path) {
      const sw = statusWord(await this.#exchange(Uint8Array.of(0, 0xa4, 0, 0x0c, 2, id >> 8, id & 255)));
      if (!isDone(sw)) return undefined;
    }
    const response = await this.#exchange(Uint8Array.of(0, 0xb0, 0, 0, length));
    const data = responseData(response);
    return isDone(statusWord(response)) && data.length === length ? data.slice() : undefined;
  }

  // --- sessions of +CCHO ---

  /** @returns the session id  @throws CmeError when there is no channel or no such application */
  async open(aid: Uint8Array, exchange: (apdu: Uint8Array) => Promise<Uint8Array>): Promise<string> {
    const opened = await exchange(Uint8Array.of(0x00, 0x70, 0x00, 0x00, 0x01));
    if (statusWord(opened) !== 0x9000 || opened.length !== 3) throw new CmeError(13);
    const channel = opened[0];
    const cla = classForChannel(0, channel);
    let response = await exchange(Uint8Array.of(cla, 0xa4, 4, 0, aid.length, ...aid));
    while (statusWord(response) >> 8 === 0x61) {
      response = await exchange(getResponse(cla, statusWord(response) & 255));
    }
    // Reading the FCI may fail (es10.md §1.2); the selection stands.
    if (!isDone(statusWord(response)) && statusWord(response) !== 0x6e00) {
      await exchange(closeChannel(channel));
      throw new CmeError(13);
    }
    const id = this.#sessionId(channel);
    this.#sessions.set(id, channel);
    return id;
  }

  #sessionId(channel: number): string {
    if (this.#options.personality.sessionIds === 'channel') return `${channel}`;
    const part = () =>
      Math.floor(this.#options.random() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0');
    return part() + part();
  }

  /** Channel behind a session id. @throws CmeError 22 when there is none */
  channel(id: string): number {
    const channel = id === '0' && this.#options.personality.basicSession ? 0 : this.#sessions.get(id);
    if (channel === undefined) throw new CmeError(22);
    return channel;
  }

  async close(id: string, exchange: (apdu: Uint8Array) => Promise<Uint8Array>): Promise<void> {
    const channel = this.channel(id);
    this.#sessions.delete(id);
    if (channel !== 0) await exchange(closeChannel(channel));
  }

  // --- toolkit ---

  /** Runs what the card asked for with 91xx. To be called whenever the TE is not being served. */
  settle(): void {
    if (this.#fetch > 0 && this.state === 'ready') void this.#toolkit();
  }

  async #toolkit(): Promise<void> {
    try {
      for (let i = 0; i < MOST_PROACTIVE_COMMANDS && this.#fetch > 0; i++) {
        const length = this.#fetch;
        this.#fetch = 0;
        const response = await this.#exchange(Uint8Array.of(0x80, 0x12, 0, 0, length & 255));
        const command = readProactive(responseData(response));
        if (command) await this.#perform(command);
      }
    } catch (error) {
      if (!(error instanceof CmeError)) throw error;
    }
  }

  async #perform(command: ProactiveCommand): Promise<void> {
    if (command.type !== REFRESH) {
      // Set-up commands, POLL INTERVAL and MORE TIME need nothing done; what needs a person or a bearer is refused.
      const simple = [0x02, 0x03, 0x04, 0x05, 0x25, 0x28].includes(command.type);
      await this.#exchange(terminalResponse(command, simple ? 0x00 : 0x30));
      return;
    }
    const { personality, observe } = this.#options;
    observe({
      event: 'sim-modem',
      what: 'refresh',
      detail: { qualifier: command.qualifier, ignored: personality.ignoresRefresh },
    });
    if (personality.ignoresRefresh) {
      await this.#exchange(terminalResponse(command, 0x00));
    } else if (command.qualifier === UICC_RESET) {
      // A reset ends the toolkit session: no TERMINAL RESPONSE (102 223 §6.4.7).
      this.deactivate();
      this.activate();
    } else {
      await this.#reread(command);
    }
  }

  /** REFRESH without a reset: channels stay, the subscription is read anew. */
  async #reread(command: ProactiveCommand): Promise<void> {
    this.state = 'busy';
    this.imsi = undefined;
    this.#options.lost();
    await this.#readFiles();
    await this.#exchange(terminalResponse(command, 0x00));
    this.state = 'ready';
    this.#options.observe({ event: 'sim-modem', what: 'simOn', detail: this.#known() });
    this.#options.ready();
  }
}

/** What power failure makes of everything under way. */
function never(): Promise<never> {
  return new Promise(() => {});
}

function closeChannel(channel: number): Uint8Array {
  return Uint8Array.of(0x00, 0x70, 0x80, channel);
}

function isDone(sw: number): boolean {
  return sw === 0x9000 || sw >> 8 === 0x61 || sw >> 8 === 0x91 || sw >> 8 === 0x9f || sw >> 8 === 0x62;
}

/** EF_IMSI (3GPP TS 31.102 §4.2.2): length, parity nibble, digits. */
function imsiDigits(file: Uint8Array): string | undefined {
  const length = file[0];
  if (length < 1 || length > 8) return undefined;
  const digits = swappedDigits(file.subarray(1, 1 + length))
    .slice(1)
    .replace(/F$/, '');
  return /^\d{6,15}$/.test(digits) ? digits : undefined;
}
