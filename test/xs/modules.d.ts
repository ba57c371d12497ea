/** What the XS host gives a script beyond what a device gives; implemented in host/system.c. */
declare module 'host' {
  interface Memory {
    slotBytes: number;
    /** In use above the freshly booted machine; exact after collect(). */
    slots: number;
    slotsPeak: number;
    /** Bytes. */
    chunks: number;
    chunksPeak: number;
    /** Slots of the stack, from its bottom. */
    stackPeak: number;
  }

  const Host: {
    /** One line on standard output; only strings. */
    log(...text: string[]): void;
    /** Ends the host when the callback that is running ends. */
    exit(code?: number): void;
    collect(): void;
    memory(): Memory;
    /** Collects, writes a line of figures for what ran since the last mark, and starts the peaks over. */
    mark(label: string): void;
    /** Collects and writes a line with what is alive, by class. */
    census(label: string): void;
    /** Called with the number of every `call` that XsHost.command() sends. */
    onCommand(callback: (number: number) => void): void;
    /** Uniform in [0, 1), reproducible from the host's seed. */
    random(): number;
  };
  export default Host;

  // The device's own modules, typed as the contracts have them. hal/xs imports them by Moddable's specifiers.
  export const Serial: import('../../hal/contracts/index.js').SerialConstructor;
  export const TCP: import('../../hal/contracts/index.js').TcpConstructor;
  export const UDP: import('../../hal/contracts/index.js').UdpConstructor;
  export const Timer: import('../../hal/contracts/index.js').Timer & {
    set(callback: () => void, milliseconds: number, repeat?: number): unknown;
    repeat(callback: () => void, milliseconds: number): unknown;
    schedule(handle: unknown, milliseconds?: number, repeat?: number): void;
  };
  export const Time: import('../../hal/contracts/index.js').Time;
  export const Storage: {
    open(options: {
      path: string;
      format?: 'string' | 'buffer';
    }): import('../../hal/contracts/index.js').KeyValue;
  };
}

/** The configuration that run.ts was given: constant data in flash, as Moddable's `mc/config`. */
declare module 'mc/config' {
  const config: Readonly<Record<string, unknown>>;
  export default config;
}
