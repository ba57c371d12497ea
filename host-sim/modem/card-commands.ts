import { hex } from '../bytes.js';
import { classForChannel, getResponse, hasLeAfterData, responseData, statusWord } from './apdu.js';
import { CmeError } from './error.js';
import { fromHex } from './hex.js';
import { smallNumber } from './line.js';
import type { Forms, Mt } from './settings.js';

/** AT commands that reach the card (3GPP TS 27.007 §8.17, §8.18, §8.43–8.46). */
export const cardCommands: Record<string, Forms> = {
  '+CSIM': { set: csim, test: '(4-520)' },
  '+CCHO': { set: ccho, test: '' },
  '+CGLA': { set: cgla, test: '' },
  '+CCHC': { set: cchc, test: '' },
  '+CRSM': { set: crsm, test: '' },
  '+CPIN': {
    read: (mt) => {
      mt.sim.demandReady();
      const { withoutProfile } = mt.personality;
      if (mt.sim.imsi === undefined && withoutProfile !== 'ready') throw new CmeError(withoutProfile);
      return ['+CPIN: READY'];
    },
    set: (mt) => {
      mt.sim.demandReady();
      throw new CmeError(3);
    },
    test: '',
  },
  '+CIMI': {
    run: (mt) => {
      mt.sim.demandReady();
      if (mt.sim.imsi === undefined) throw new CmeError(13);
      return [mt.sim.imsi];
    },
    test: '',
  },
};

async function csim(mt: Mt, parameters: readonly string[]): Promise<string[]> {
  if (parameters.length !== 2) throw new CmeError(50);
  const apdu = readApdu(mt, parameters[0], parameters[1]);
  if (mt.personality.refusesManageChannel && apdu[1] === 0x70) {
    return [response(mt, '+CSIM', Uint8Array.of(0x6a, 0x81))];
  }
  return [response(mt, '+CSIM', await chained(mt, apdu, mt.personality.beyondCap === 'lost'))];
}

async function ccho(mt: Mt, parameters: readonly string[]): Promise<string[]> {
  const aid = parameters.length === 1 ? fromHex(parameters[0]) : undefined;
  if (!aid || aid.length < 5 || aid.length > 16) throw new CmeError(50);
  mt.sim.demandReady();
  const id = await mt.sim.open(aid, (apdu) => mt.exchange(apdu));
  return [mt.personality.opened === 'bare' ? id : `+CCHO: ${id}`];
}

async function cgla(mt: Mt, parameters: readonly string[]): Promise<string[]> {
  if (parameters.length !== 3) throw new CmeError(50);
  const apdu = readApdu(mt, parameters[1], parameters[2]);
  mt.sim.demandReady();
  apdu[0] = classForChannel(apdu[0], mt.sim.channel(parameters[0]));
  return [response(mt, '+CGLA', await chained(mt, apdu, false))];
}

async function cchc(mt: Mt, parameters: readonly string[]): Promise<undefined> {
  if (parameters.length !== 1) throw new CmeError(50);
  mt.sim.demandReady();
  await mt.sim.close(parameters[0], (apdu) => mt.exchange(apdu));
}

function readApdu(mt: Mt, length: string, hex: string): Uint8Array {
  const apdu = fromHex(hex);
  if (!apdu || apdu.length < 4 || !/^\d{1,4}$/.test(length) || Number(length) !== hex.length)
    throw new CmeError(50);
  if (mt.personality.upperHexOnly && hex !== hex.toUpperCase()) throw new CmeError(50);
  if (mt.personality.refusesLeAfterData && hasLeAfterData(apdu)) throw new CmeError(50);
  return apdu;
}

function response(mt: Mt, name: string, bytes: Uint8Array): string {
  return `${name}: ${bytes.length * 2},${hexText(mt, bytes)}`;
}

function hexText(mt: Mt, bytes: Uint8Array): string {
  const digits = mt.personality.hex === 'lower' ? hex(bytes).toLowerCase() : hex(bytes);
  return mt.personality.quoted ? `"${digits}"` : digits;
}

/**
 * One APDU, with 61xx and 6Cxx resolved where the modem does that.
 * @param lossy what does not fit into one answer is dropped, not left for the TE to fetch
 */
async function chained(mt: Mt, apdu: Uint8Array, lossy: boolean): Promise<Uint8Array> {
  let answer = await mt.exchange(apdu);
  if (mt.personality.getResponse === 'te') return answer;
  if (statusWord(answer) >> 8 === 0x6c) {
    answer = await mt.exchange(Uint8Array.of(apdu[0], apdu[1], apdu[2], apdu[3], statusWord(answer) & 255));
  }
  const data = [...responseData(answer)];
  while (statusWord(answer) >> 8 === 0x61) {
    const room = mt.personality.answerCap - data.length;
    if (room <= 0) {
      if (lossy) return Uint8Array.of(...data, 0x90, 0x00);
      break;
    }
    const more = statusWord(answer) & 255 || 256;
    answer = await mt.exchange(getResponse(apdu[0], Math.min(more, room, 256) & 255));
    data.push(...responseData(answer));
  }
  return Uint8Array.of(...data, ...answer.subarray(-2));
}

/** Instruction bytes that +CRSM may carry, of which those that write are left to the card's own judgement. */
const RESTRICTED: Record<number, number> = {
  176: 0xb0,
  178: 0xb2,
  192: 0xc0,
  214: 0xd6,
  220: 0xdc,
  242: 0xf2,
};

async function crsm(mt: Mt, parameters: readonly string[]): Promise<string[]> {
  const [command, file, p1, p2, p3, data, path] = parameters;
  const instruction = RESTRICTED[smallNumber(command, 255)];
  if (instruction === undefined) throw new CmeError(50);
  mt.sim.demandReady();
  const id = file === undefined || file === '' ? undefined : smallNumber(file, 0xffff);
  if (id === undefined && instruction !== 0xf2) throw new CmeError(50);
  let answer = new Uint8Array(2);
  if (id !== undefined) {
    for (const step of [...directories(id, path), id]) answer = await select(mt, step);
  }
  const sw = statusWord(answer);
  const selected = id === undefined || [0x90, 0x61, 0x62, 0x91, 0x9f].includes(sw >> 8);
  // GET RESPONSE means the file control parameters, which SELECT has just fetched.
  if (selected && instruction !== 0xc0) {
    const head = [0, instruction, number(p1), number(p2)];
    const bytes = data ? fromHex(data) : undefined;
    if (data && !bytes) throw new CmeError(50);
    const tail = bytes?.length ? [bytes.length, ...bytes] : [number(p3)];
    answer = await complete(mt, await mt.exchange(Uint8Array.of(...head, ...tail)));
  }
  const final = statusWord(answer);
  const content = responseData(answer);
  return [`+CRSM: ${final >> 8},${final & 255}${content.length > 0 ? `,${hexText(mt, content)}` : ''}`];
}

function number(text: string | undefined): number {
  return text === undefined || text === '' ? 0 : smallNumber(text, 255);
}

/** Where a file identifier lives: the path given, else the MF or the USIM. */
function directories(id: number, path: string | undefined): number[] {
  const given = path ? fromHex(path) : undefined;
  if (path && (!given || given.length % 2 !== 0)) throw new CmeError(50);
  if (given) {
    const ids: number[] = given[0] === 0x3f ? [] : [0x3f00];
    for (let at = 0; at < given.length; at += 2) ids.push((given[at] << 8) | given[at + 1]);
    return ids;
  }
  if (id === 0x3f00) return [];
  return id >> 8 === 0x6f ? [0x3f00, 0x7ff0] : [0x3f00];
}

async function select(mt: Mt, id: number): Promise<Uint8Array<ArrayBuffer>> {
  return complete(mt, await mt.exchange(Uint8Array.of(0, 0xa4, 0, 4, 2, id >> 8, id & 255)));
}

/** Fetches what the card still holds after 61xx or 6Cxx is beyond +CRSM: a short answer is enough. */
async function complete(mt: Mt, answer: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const sw = statusWord(answer);
  if (sw >> 8 !== 0x61) return answer.slice();
  return (await mt.exchange(getResponse(0, sw & 255))).slice();
}
