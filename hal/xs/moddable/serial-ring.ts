import RingSerial from 'ring-serial';
import type { SerialConstructor } from '../../contracts/index.js';

/**
 * The modem's UART on an ESP32, with a ring buffer behind its 128 bytes (docs/firmware.md). Stands for serial.ts where
 * firmware/manifest_ring_serial.json is included. Options beside the contract's: `receive` and `transmit` (pins), `port`
 * (number of the UART), `ring` (bytes).
 */
export const XsSerial: SerialConstructor = RingSerial;
