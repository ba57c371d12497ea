/** A UART whose received bytes wait in a ring buffer; in esp32/ beside this file. */
declare module 'ring-serial' {
  export default class RingSerial {
    /** Options: `port`, `receive`, `transmit` (pins), `baud`, `ring` (bytes, 1024), `onReadable`, `onWritable`. */
    constructor(options: Record<string, unknown>);
    read(buffer: Uint8Array): number;
    write(buffer: Uint8Array): void;
    close(): void;
  }
}
