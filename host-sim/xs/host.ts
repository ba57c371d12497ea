import { existsSync } from 'node:fs';
import { XsIpaError } from '../../hal/contracts/index.js';
import type { DeviceConfig } from './wire.js';

/** What test/xs/run.ts is asked for. It is no part of the simulator, and loaded only where it is wanted. */
export interface HostOptions {
  entry: string;
  config: DeviceConfig;
  ports: Readonly<Record<number, string>>;
  heap: number;
  stack: number;
  slowness: number;
  seed: number;
  storage: string;
  /** Takes commands. */
  control: boolean;
  onFigures: (figures: HostFigures) => void;
}

/** Peaks are since the mark before; `bytes` is what is left after a collection. */
export interface HostFigures {
  label: string;
  version: string;
  slotBytes: number;
  bytes: number;
  bytesPeak: number;
  slotsPeak: number;
  chunksPeak: number;
  stackPeak: number;
  serial: { sent: number; received: number; lost: number };
}

/** Of an XS machine that has ended. */
export interface HostResult {
  /** 11: memory full, 12: stack overflow, 15: unhandled exception, 18: unhandled rejection; null: killed. */
  code: number | null;
  complaints: string;
  figures?: HostFigures;
}

export interface RunningHost {
  readonly ended: Promise<HostResult>;
  /** `mark LABEL` */
  command(line: string): void;
  kill(): void;
}

export type StartHost = (options: HostOptions) => Promise<RunningHost>;

/** There is no XS host here; the message says what is missing. */
export class NoXsHost extends XsIpaError {
  override readonly name = 'NoXsHost';

  constructor(message: string, options?: { cause?: unknown }) {
    super('noXsHost', message, options);
  }
}

/**
 * Loads what `npm run build` has made of test/xs/run.ts, and builds the host where that has not been done.
 * @param from URL of the program, dist/xs-ipa.js
 * @throws NoXsHost
 */
export async function loadHost(from: string): Promise<StartHost> {
  const program = new URL('xs/host.js', from);
  const missing = ['../test/xs/build.mjs', '../test/xs/device/demo.ts'].find(
    (path) => !existsSync(new URL(path, from)),
  );
  if (missing || !existsSync(program)) {
    throw new NoXsHost(
      `--engine xs needs a clone of the repository, with its test/xs and built by npm ci; ${missing?.slice(3) ?? 'dist/xs/host.js'} is not there`,
    );
  }
  try {
    const { XsHost } = (await import(program.href)) as {
      XsHost: { build(): Promise<void>; start: StartHost };
    };
    await XsHost.build();
    return XsHost.start;
  } catch (cause) {
    if ((cause as Error).name === 'BuildError')
      throw new NoXsHost(`--engine xs cannot run here: ${(cause as Error).message}`, { cause });
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new NoXsHost(
      `--engine xs needs the packages of a development installation; run npm ci: ${(cause as Error).message}`,
      { cause },
    );
  }
}
