import { styleText } from 'node:util';
import { describe, hex } from '../asn1/index.js';
import type { TraceEvent } from '../events.js';
import { apduName, jsonable, latin1, sw } from './json.js';

/** How much of the timeline a person wants to see. */
interface TimelineOptions {
  /** 0 steps and failures, 1 messages and APDUs, 2 AT lines and bytes too. */
  detail: 0 | 1 | 2;
  color: boolean;
  /** Columns of the terminal: longer lines are cut, except sentences, and except with detail 2, which is for reading every byte. */
  columns?: () => number | undefined;
}

/** `stat` of +CEREG, TS 27.007 §10.1.22. */
const registrations = [
  'not registered',
  'registered, home',
  'searching',
  'denied',
  'unknown',
  'registered, roaming',
];

type Style = Parameters<typeof styleText>[0];

const actorStyles: Readonly<Record<string, Style>> = {
  ipa: 'cyan',
  euicc: 'magenta',
  modem: 'yellow',
  eim: 'green',
  broker: 'blue',
};

/** Turns events into lines for a terminal: when, who, what, how many bytes, and what it means. */
export class Timeline {
  readonly #options: TimelineOptions;
  /** Logical channels that were opened since bring-up began; one that is closed and is not among them was left over. */
  readonly #opened = new Set<number>();

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** The lines of one event; none when it is below the wanted detail. */
  lines(event: TraceEvent): string[] {
    // What is told in sentences is not cut.
    const whole = this.#options.detail === 2 || event.event === 'step' || event.event === 'failure';
    const columns = whole ? undefined : this.#options.columns?.();
    return this.#lines(event).map((line) => cut(line.trimEnd(), columns));
  }

  #lines(event: TraceEvent): string[] {
    const { detail } = this.#options;
    switch (event.event) {
      case 'step':
        return [
          '',
          this.#paint('bold', `■ ${event.title}`),
          ...(event.detail ? [this.#paint('dim', `  ${event.detail}`)] : []),
        ];
      case 'failure': {
        const again =
          event.retryIn === undefined ? '' : `; next attempt in ${(event.retryIn / 1000).toFixed(1)} s`;
        return [this.#line(event, '!', this.#paint('red', `${event.where}: ${event.detail}${again}`))];
      }
      case 'summary':
        return [];
    }
    if (detail === 0) return [];
    switch (event.event) {
      case 'at':
        if (detail < 2) return [];
        return [
          this.#line(event, event.direction === 'tx' ? '>' : '<', this.#paint('dim', latin1(event.line))),
        ];
      case 'apdu': {
        const name = apduName(event.command).name + this.#leftOver(event.command, event.response);
        const answer = `${event.command.length} B → ${event.response.length} B  ${sw(event.sw)}`;
        const lines = [this.#line(event, '·', `${name.padEnd(30)} ${this.#paint('dim', answer)}`)];
        if (detail > 1)
          lines.push(this.#more(`${hex(event.command)} → ${hex(event.response)}${sw(event.sw)}`));
        return lines;
      }
      case 'esipa': {
        const up = event.direction === 'up';
        const { name, value } = describe(event.message, up ? 'toEim' : 'toIpa');
        const { length } = event.message;
        const size = this.#paint('dim', `${event.byteLength ?? length} B`);
        const lines = [this.#line(event, up ? '▲' : '▼', `${this.#paint('bold', name.padEnd(30))} ${size}`)];
        if (event.byteLength === undefined) lines.push(this.#more(shorten(value, detail > 1 ? 2000 : 150)));
        else lines.push(this.#more('streamed; the trace has its beginning'));
        if (detail > 1) lines.push(this.#more(hex(event.message)));
        return lines;
      }
      case 'state':
        return [this.#line(event, '○', this.#paint('dim', event.state))];
      case 'eid':
        return [this.#line(event, ' ', `EID ${hex(event.eid)}`)];
      case 'euicc':
        return [this.#line(event, ' ', `the card is ${event.detail}`)];
      case 'link':
        return [
          this.#line(
            event,
            '~',
            `link to ${event.eimId} ${event.state}${event.detail ? `: ${event.detail}` : ''}`,
          ),
        ];
      case 'associated':
        return [this.#line(event, ' ', `associated eIMs: ${event.eimIds.join(', ') || 'none'}`)];
      case 'acknowledged':
        return [
          this.#line(
            event,
            '✓',
            `${event.eimId} acknowledged ${event.seqNumbers.join(', ')}; removed from the eUICC`,
          ),
        ];
      case 'dropped':
        return [this.#line(event, '×', `dropped a message from ${event.eimId}: ${event.reason}`)];
      case 'rollback':
        return [this.#line(event, '↶', `rolled back the profile that ${event.eimId} had enabled`)];
      case 'switched':
        return [this.#line(event, '↷', `the device changed the profile: ${event.what}`)];
      case 'modem':
        // Whatever is open now was opened by somebody else, or before.
        if (event.notice === 'started') this.#opened.clear();
        return [this.#line(event, ' ', this.#paint('dim', notice(event.notice, event.detail)))];
      default: {
        const text = event.event === 'eim' ? this.#eim(event.what) : event.what;
        const rest = event.detail ? shorten(jsonable(event.detail), 150) : '';
        return [this.#line(event, ' ', rest ? `${text} ${this.#paint('dim', rest)}` : text)];
      }
    }
  }

  /** Says so when a channel is closed that somebody else has left open. */
  #leftOver(command: Uint8Array, response: Uint8Array): string {
    if (command[1] !== 0x70) return '';
    if (command[2] !== 0x80) {
      if (response.length > 0) this.#opened.add(response[0]);
      return '';
    }
    return this.#opened.delete(command[3]) ? '' : ' (stale)';
  }

  #eim(what: string): string {
    if (what === 'verified' || what === 'acknowledged') return this.#paint('green', what);
    return what === 'refused' || what === 'rejected' ? this.#paint('red', what) : what;
  }

  #line(event: { at: number; who: string }, sign: string, text: string): string {
    const time = (event.at / 1000).toFixed(3).padStart(8);
    return `${this.#paint('dim', time)}  ${this.#paint(actorStyles[event.who.split(' ')[0]] ?? 'white', event.who.padEnd(7))} ${sign} ${text}`;
  }

  #more(text: string): string {
    return this.#paint('dim', `${' '.repeat(20)}${text}`);
  }

  #paint(style: Style, text: string): string {
    return this.#options.color && text ? styleText(style, text) : text;
  }
}

function notice(name: string, detail: unknown): string {
  if (name !== 'registration') return `${name} ${detail ?? ''}`;
  return `${name}: ${registrations[Number(detail)] ?? detail}`;
}

/** Every character but those of colours takes one column. */
function cut(line: string, columns = 0): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const parts = line.match(/\x1b\[[0-9;]*m|./gsu) ?? [];
  const isColor = (part: string) => part.length > 2;
  if (columns < 20 || parts.filter((part) => !isColor(part)).length <= columns) return line;
  let room = columns - 1;
  let shown = '';
  for (const part of parts) {
    if (isColor(part)) shown += part;
    else if (room-- > 0) shown += part;
    else if (room === -1) shown += '…';
  }
  return shown;
}

/** A decoded value on one line, without the punctuation that only programs need. */
function shorten(value: unknown, most: number): string {
  const text =
    JSON.stringify(value)
      ?.replace(/"[,:]|,/g, (mark) => `${mark} `)
      .replaceAll('"', '') ?? '';
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
