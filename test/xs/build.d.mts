/** A reason why there is no host: no compiler (exit code 3), no engine sources (4), or it does not compile (5). */
export class BuildError extends Error {
  readonly exitCode: 3 | 4 | 5;
  constructor(message: string, exitCode: 3 | 4 | 5);
}

/**
 * @param options.bits 32 where the compiler can, unless told
 * @param options.stress able to collect at every allocation (HostOptions.livePeaks)
 * @param options.board for that instead of the machine at hand
 * @returns `map`: path of what the linker of a board tells; `emulator`: program that runs a board
 */
export function buildHost(options?: {
  bits?: 32 | 64;
  stress?: boolean;
  board?: 'rv32';
}): Promise<{ path: string; bits: 32 | 64; built: boolean; map: string; emulator: string }>;
