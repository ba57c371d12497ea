import type { Section } from '../xs/index.js';

/** Bytes, or characters, seen from the device. */
export interface Traffic {
  readonly up: number;
  readonly down: number;
}

/** What is counted all the time. */
export interface Counters {
  /** As the IPA means them. */
  apdus: number;
  /** Characters on the serial line to the modem. */
  uart: Traffic;
  /** Payload to and from the eIMs. */
  esipa: Traffic;
  /** On the connections to the SM-DP+, all layers above TCP. */
  http: Traffic;
}

/** What one step took. */
export interface StepCost extends Counters {
  title: string;
  milliseconds: number;
  /** Bytes of heap, garbage included; absent where it is not measured. */
  peakHeap?: number;
  /** Bytes of heap that are alive at its end; absent with it. */
  keptHeap?: number;
  /** Slots of stack; absent with it. */
  peakStack?: number;
}

/** The bill, step by step. */
export class Costs {
  readonly steps: StepCost[] = [];
  readonly #read: () => Counters & { ticks: number };
  #title: string | undefined;
  #before: Counters & { ticks: number };

  constructor(read: () => Counters & { ticks: number }) {
    this.#read = read;
    this.#before = read();
  }

  begin(title: string): void {
    this.#title = title;
    this.#before = this.#read();
  }

  /** How far it is, for people. */
  get progress(): string {
    const sent = this.#read().uart.up - this.#before.uart.up;
    return `${this.#title ?? 'coming up'}: ${sent} characters to the modem`;
  }

  /** Of the step that was begun; nothing when there was none. */
  end(section: Section | undefined): void {
    const title = this.#title;
    this.#title = undefined;
    if (title === undefined) return;
    const before = this.#before;
    const now = this.#read();
    const taken = (name: 'uart' | 'esipa' | 'http') => ({
      up: now[name].up - before[name].up,
      down: now[name].down - before[name].down,
    });
    this.steps.push({
      title,
      milliseconds: Math.round(now.ticks - before.ticks),
      apdus: now.apdus - before.apdus,
      uart: taken('uart'),
      esipa: taken('esipa'),
      http: taken('http'),
      ...(section && { peakHeap: section.heap, keptHeap: section.kept, peakStack: section.stack }),
    });
  }

  /** A table for people. */
  lines(): string[] {
    const measured = this.steps.some(({ peakHeap }) => peakHeap !== undefined);
    const head = ['step', 'seconds', 'APDUs', 'UART', 'ESipa', 'HTTP', 'heap', 'kept', 'stack'];
    const both = ({ up, down }: Traffic) => (up + down === 0 ? '–' : `${up}/${down}`);
    const rows = this.steps.map(({ title, milliseconds, apdus, uart, esipa, http, ...memory }) => [
      title,
      (milliseconds / 1000).toFixed(1),
      String(apdus),
      both(uart),
      both(esipa),
      both(http),
      String(memory.peakHeap ?? '?'),
      String(memory.keptHeap ?? '?'),
      String(memory.peakStack ?? '?'),
    ]);
    const table = [head, ...rows].map((row) => (measured ? row : row.slice(0, 6)));
    const widths = table[0].map((_name, column) => Math.max(...table.map((row) => row[column].length)));
    return [
      ...table.map((row) =>
        row
          .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
          .join('  '),
      ),
      'UART in characters, ESipa and HTTP in bytes, each up/down;',
      measured
        ? 'heap in bytes: its peak with garbage, and what is kept at the end; peak of the stack in slots'
        : 'heap and stack are measured with --engine xs',
    ];
  }
}
