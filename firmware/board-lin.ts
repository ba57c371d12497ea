import type { PowerControl } from './power.js';

/** Linux has no pins of ours. */
export class BoardPower implements PowerControl {
  output(): void {}
  read(): number {
    return 0;
  }
  write(): void {}
}
