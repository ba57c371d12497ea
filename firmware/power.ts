import { type Timer, XsIpaError } from '../hal/contracts/index.js';

/**
 * One step of a board's way to a running modem, from the manifest (`config.xsIpa.power`): either a level on a pin, or bits of
 * a register of the power chip, and then a pause in milliseconds.
 */
export interface PowerStep {
  pin?: number;
  level?: 0 | 1;
  register?: number;
  /** Bits to take away and bits to put in. */
  clear?: number;
  set?: number;
  wait?: number;
}

/** What a board can do. */
export interface PowerControl {
  output(pin: number, level: 0 | 1): void;
  read(register: number): number;
  write(register: number, value: number): void;
}

/** @throws {XsIpaError} `usage` for a step that is none, and whatever the board's hardware throws */
export async function powerUp(
  steps: readonly PowerStep[],
  control: PowerControl,
  timer: Timer,
): Promise<void> {
  for (const { pin, level, register, clear = 0, set = 0, wait = 0 } of steps) {
    if (pin !== undefined && level !== undefined) control.output(pin, level);
    else if (register !== undefined) control.write(register, (control.read(register) & ~clear) | set);
    else if (wait <= 0) throw new XsIpaError('usage', 'a power step has pin and level, or register, or wait');
    if (wait > 0) await new Promise<void>((resolve) => timer.set(resolve, wait));
  }
}
