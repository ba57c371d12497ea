import type { AtClient } from './at-client.js';
import { DEADLINE } from './deadlines.js';
import type { Quirks } from './quirks.js';

/** One identity text (+CGMI and the like); empty when the modem does not tell. */
export async function identityText(client: AtClient, command: string): Promise<string> {
  const prefix = `+${command}:`;
  const result = await client.command(`AT+${command}`, DEADLINE.query, { prefix, bare: 'text' });
  if (!result.ok) return '';
  return unquoted(result.text.startsWith(prefix) ? result.text.slice(prefix.length) : result.text);
}

/** 15 digits, or empty. */
export async function imei(client: AtClient): Promise<string> {
  const plain = await client.command('AT+CGSN', DEADLINE.query, { prefix: '+CGSN:', bare: 'digits' });
  const digits = longestNumber(plain.text).slice(0, 15);
  if (plain.ok && digits.length === 15) return digits;
  const typed = await client.command('AT+CGSN=1', DEADLINE.query, { prefix: '+CGSN:', bare: 'digits' });
  const again = longestNumber(typed.text).slice(0, 15);
  return typed.ok && again.length === 15 ? again : '';
}

/** Reads the ICCID of the enabled profile and the serving operator. */
export class IdentityReader {
  readonly #client: AtClient;
  /** The command that has told the ICCID before. */
  #works: string | undefined;
  #lastPlmn: Uint8Array | undefined;

  constructor(client: AtClient) {
    this.#client = client;
  }

  /** By the first command that works, the one that worked before all others. */
  async iccid(quirks: Quirks): Promise<Uint8Array | undefined> {
    const own = quirks.iccid ?? [];
    for (let i = -1; i < own.length + COMMON_ICCID.length; i++) {
      const command = i < 0 ? this.#works : (own[i] ?? COMMON_ICCID[i - own.length]);
      if (command === undefined || (i >= 0 && command === this.#works)) continue;
      const isFile = command === READ_EF_ICCID;
      const result = await this.#client.command(
        command,
        isFile ? DEADLINE.slowQuery : DEADLINE.query,
        isFile ? { prefix: '+CRSM:' } : { prefix: `${command.slice(2)}:`, bare: 'digits' },
      );
      const text = result.ok ? result.text : '';
      const iccid = isFile ? rawIccid(text) : packIccid(longestNumber(text));
      if (!iccid) continue;
      this.#works = command;
      return iccid;
    }
    return undefined;
  }

  /** The last one known. */
  async plmn(): Promise<Uint8Array | undefined> {
    for (let again = false; ; again = true) {
      const result = await this.#client.command('AT+COPS?', DEADLINE.slowQuery, { prefix: '+COPS:' });
      const line = result.ok ? result.text : '';
      const plmn = plmnOf(line);
      if (plmn || again || !namesOperator(line)) {
        this.#lastPlmn = plmn ?? this.#lastPlmn;
        return this.#lastPlmn;
      }
      // The numeric format was lost, as after a reset of the modem.
      await this.#client.command('AT+COPS=3,2', DEADLINE.query);
    }
  }
}

/** READ BINARY of EF_ICCID, 10 bytes (at.md §4). */
const READ_EF_ICCID = 'AT+CRSM=176,12258,0,0,10';
const COMMON_ICCID = ['AT+CCID', 'AT+ICCID', READ_EF_ICCID] as const;

/** `+CRSM: 144,0,"98…"`: the bytes of the file as they are. */
function rawIccid(line: string): Uint8Array | undefined {
  const fields = line.slice(line.indexOf(':') + 1).split(',');
  if (Number(fields[0]) !== 144 || fields[2] === undefined) return undefined;
  const text = unquoted(fields[2]);
  if (text.length !== 20) return undefined;
  const bytes = new Uint8Array(10);
  for (let i = 0; i < 10; i++) {
    const byte = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
    if (Number.isNaN(byte)) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** 18–20 digits → EF_ICCID coding: nibbles swapped, F as filler. */
export function packIccid(digits: string): Uint8Array | undefined {
  if (digits.length < 18 || digits.length > 20) return undefined;
  const bytes = new Uint8Array(10).fill(0xff);
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - 0x30;
    bytes[i >> 1] = i & 1 ? (bytes[i >> 1] & 0x0f) | (digit << 4) : (bytes[i >> 1] & 0xf0) | digit;
  }
  return bytes;
}

/** `+COPS: <mode>,2,"<MCC><MNC>"[,…]` → 3 bytes of 3GPP TS 24.008 §10.5.1.3; undefined for anything else. */
export function plmnOf(line: string): Uint8Array | undefined {
  const fields = line.slice(line.indexOf(':') + 1).split(',');
  const digits = unquoted(fields[2] ?? '');
  if (fields[1]?.trim() !== '2' || digits.length < 5 || digits.length > 6) return undefined;
  const d: number[] = [];
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    d.push(digit);
  }
  return Uint8Array.of((d[1] << 4) | d[0], ((d[5] ?? 0xf) << 4) | d[2], (d[4] << 4) | d[3]);
}

/** True for a +COPS answer that names an operator in whatever format. */
function namesOperator(line: string): boolean {
  return line.split(',').length >= 3;
}

function longestNumber(text: string): string {
  let best = '';
  let run = '';
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 0;
    if (code >= 0x30 && code <= 0x39) run += text[i];
    else {
      if (run.length > best.length) best = run;
      run = '';
    }
  }
  return best;
}

function unquoted(text: string): string {
  const bare = text.trim();
  return bare.length >= 2 && bare.startsWith('"') && bare.endsWith('"') ? bare.slice(1, -1) : bare;
}
