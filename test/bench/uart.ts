import type { TeLine, TePort } from '../../host-sim/modem/serial.js';

/** One AT command line with everything the modem answered until the next one. Without line ends of the command. */
export interface Conversation {
  command: string;
  answer: string;
}

/** Listens on the serial line between device and modem. */
export class UartTap {
  /** Characters since the last take(), line ends included: from the device, from the modem. */
  #up = 0;
  #down = 0;
  #conversations: Conversation[] = [];
  #line = '';

  /** To be put between modem and device. */
  readonly port = (modem: TePort): TePort => ({
    connectTe: (receive, sent): TeLine => {
      const line = modem.connectTe((bytes) => {
        this.#heard(bytes);
        receive(bytes);
      }, sent);
      return {
        write: (bytes) => {
          this.#said(bytes);
          line.write(bytes);
        },
        close: () => line.close(),
        get backlog() {
          return line.backlog;
        },
      };
    },
  });

  /** What happened since the last call. */
  take(): { up: number; down: number; conversations: Conversation[] } {
    const taken = { up: this.#up, down: this.#down, conversations: this.#conversations };
    this.#up = this.#down = 0;
    this.#conversations = [];
    return taken;
  }

  #said(bytes: Uint8Array): void {
    this.#up += bytes.length;
    this.#line += Buffer.from(bytes).toString('latin1');
    for (let end = this.#line.indexOf('\r'); end >= 0; end = this.#line.indexOf('\r')) {
      this.#conversations.push({ command: this.#line.slice(0, end).trim(), answer: '' });
      this.#line = this.#line.slice(end + 1);
    }
  }

  #heard(bytes: Uint8Array): void {
    this.#down += bytes.length;
    const last = this.#conversations.at(-1);
    if (last) last.answer += Buffer.from(bytes).toString('latin1');
  }
}

/** What went to the card in a row of conversations, and the least that could have done the same. */
export interface CardTraffic {
  /**
   * Commands as the IPA means them: each AT+CSIM and AT+CGLA but GET RESPONSE, two for AT+CCHO (MANAGE CHANNEL, SELECT),
   * one for AT+CCHC.
   */
  apdus: number;
  /** All commands that went to the card: the same with GET RESPONSE. */
  exchanges: number;
  /** How many those would be with Le uncapped. */
  exchangesUncapped: number;
  /** Functions of ES10 that were called, as bytes of request and response. */
  calls: { sent: number; received: number }[];
  /** Characters that these calls need at least, both ways; and with Le uncapped. */
  least: number;
  leastUncapped: number;
  /** The same of the chains of a Bound Profile Package alone, and the characters that they took. */
  load: { least: number; leastUncapped: number; taken: number };
}

const STORE_DATA = 0xe2;
const GET_RESPONSE = 0xc0;
/** BF36, in the first block of a Bound Profile Package. */
const PACKAGE = [0xbf, 0x36];
/** Most bytes that one GET RESPONSE can fetch. */
const LONGEST = 256;

/**
 * Characters of an ES10 call at least (the counting of a profile's load, for both directions): the request in STORE DATA
 * of `block` bytes, the response in GET RESPONSE of `piece` bytes, each in the AT command that is used, and nothing else
 * on the line.
 * @param name of the AT command with what stands before the length: `+CSIM=`, `+CGLA=1,`
 */
export function leastCharacters(
  call: { sent: number; received: number },
  block: number,
  piece: number,
  name = '+CSIM=',
): number {
  const word = name.slice(0, name.indexOf('='));
  // AT…=L,"hex" CR
  const up = (bytes: number) => 2 + name.length + digits(2 * bytes) + 2 + 2 * bytes + 2;
  // CR LF +CSIM: L,"hex" CR LF, CR LF OK CR LF
  const down = (bytes: number) =>
    2 + word.length + 2 + digits(2 * bytes) + 2 + 2 * bytes + 1 + 2 + '\r\nOK\r\n'.length;
  let sum = 0;
  for (let left = call.sent; left > 0; left -= block) sum += up(5 + Math.min(left, block)) + down(2);
  for (let left = call.received; left > 0; left -= piece) sum += up(5) + down(Math.min(left, piece) + 2);
  return sum;
}

function digits(number: number): number {
  return `${number}`.length;
}

/** @param block bytes of a STORE DATA block  @param piece most bytes of a GET RESPONSE */
export function cardTraffic(
  conversations: readonly Conversation[],
  block: number,
  piece: number,
): CardTraffic {
  const calls: CardTraffic['calls'] = [];
  let apdus = 0;
  let fetched = 0;
  let uncapped = 0;
  let least = 0;
  let call: { sent: number; received: number; name: string; isLoad: boolean } | undefined;
  let isLoading = false;
  const load = { least: 0, leastUncapped: 0, taken: 0 };
  let leastUncapped = 0;
  const end = () => {
    if (!call) return;
    calls.push({ sent: call.sent, received: call.received });
    uncapped += Math.ceil(call.received / LONGEST);
    const characters = leastCharacters(call, block, piece, call.name);
    const charactersUncapped = leastCharacters(call, block, LONGEST, call.name);
    least += characters;
    leastUncapped += charactersUncapped;
    if (call.isLoad) {
      load.least += characters;
      load.leastUncapped += charactersUncapped;
    }
    // With a result the package is over, wherever it ends.
    if (call.received > 0) isLoading = false;
    call = undefined;
  };
  for (const { command, answer } of conversations) {
    if (command.startsWith('AT+CCHO=')) apdus += 2;
    if (command.startsWith('AT+CCHC=')) apdus++;
    const at = /^AT(\+CSIM=|\+CGLA=[^,]*,)\d+,"([0-9A-F]*)"$/i.exec(command);
    if (!at) continue;
    const apdu = Buffer.from(at[2], 'hex');
    const taken = command.length + 1 + answer.length;
    const told = /\+(?:CSIM|CGLA): ?\d+,"?([0-9A-F]*)/i.exec(answer);
    if (apdu[1] === GET_RESPONSE) fetched++;
    const received = told ? Math.max(0, told[1].length / 2 - 2) : 0;
    if (call?.isLoad && (apdu[1] === GET_RESPONSE || apdu[3] > 0)) load.taken += taken;
    if (apdu[1] === GET_RESPONSE) {
      if (call) call.received += received;
      // Of a command that is no STORE DATA: its response is short.
      else uncapped++;
      continue;
    }
    apdus++;
    if (apdu[1] === STORE_DATA) {
      // P2 counts the blocks of a call.
      if (apdu[3] === 0) {
        end();
        isLoading ||= PACKAGE.every((byte, index) => apdu[5 + index] === byte);
        if (isLoading) load.taken += taken;
      }
      call ??= { sent: 0, received: 0, name: at[1], isLoad: isLoading };
      call.sent += apdu[4];
      call.received += received;
    } else end();
  }
  end();
  return {
    apdus,
    exchanges: apdus + fetched,
    exchangesUncapped: apdus + uncapped,
    calls,
    least,
    leastUncapped,
    load,
  };
}
