import type { Peaks } from '../xs/index.js';

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

  /** Of the step that was begun; nothing when there was none. */
  end(peaks: Peaks | undefined): void {
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
      ...(peaks && { peakHeap: peaks.heap, peakStack: peaks.stack }),
    });
  }

  /** A table for people. */
  lines(): string[] {
    const head = ['step', 'seconds', 'APDUs', 'UART', 'ESipa', 'HTTP', 'heap', 'stack'];
    const both = ({ up, down }: Traffic) => (up + down === 0 ? '–' : `${up}/${down}`);
    const rows = this.steps.map(({ title, milliseconds, apdus, uart, esipa, http, peakHeap, peakStack }) => [
      title,
      (milliseconds / 1000).toFixed(1),
      String(apdus),
      both(uart),
      both(esipa),
      both(http),
      peakHeap === undefined ? 'not measured' : String(peakHeap),
      peakStack === undefined ? '' : String(peakStack),
    ]);
    const widths = head.map((name, column) =>
      Math.max(name.length, ...rows.map((row) => row[column].length)),
    );
    const line = (row: readonly string[]) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
        .join('  ');
    return [line(head), ...rows.map(line)];
  }
}
