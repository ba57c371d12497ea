import Digital from 'embedded:io/digital';
import SMBus from 'embedded:io/smbus';
import { XsIpaError } from '../hal/contracts/index.js';
import type { PowerControl } from './power.js';

/** The power chip of a board, from the manifest (`config.xsIpa.pmu`). */
interface PmuOptions {
  data: number;
  clock: number;
  address: number;
}

/** Pins and power chip of an ESP32 board. */
export class BoardPower implements PowerControl {
  readonly #pmu: SMBus | undefined;
  /** Kept: a pin that is given back floats. */
  readonly #pins: { pin: number; digital: Digital }[] = [];

  constructor(pmu: PmuOptions | undefined) {
    if (!pmu) return;
    const options = { ...pmu, hz: 100_000 } as unknown as ConstructorParameters<typeof SMBus>[0];
    this.#pmu = new SMBus(options);
  }

  output(pin: number, level: 0 | 1): void {
    for (const known of this.#pins) {
      if (known.pin !== pin) continue;
      known.digital.write(level);
      return;
    }
    // Without initialValue a pin would be low for a moment; older declarations do not know it.
    const options = { pin, mode: Digital.Output, initialValue: level };
    const digital = new Digital(options as ConstructorParameters<typeof Digital>[0]);
    digital.write(level);
    this.#pins.push({ pin, digital });
  }

  read(register: number): number {
    return this.#chip().readUint8(register);
  }

  write(register: number, value: number): void {
    this.#chip().writeUint8(register, value);
  }

  #chip(): SMBus {
    if (!this.#pmu) throw new XsIpaError('usage', 'the manifest has a step for a power chip but no pmu');
    return this.#pmu;
  }
}
