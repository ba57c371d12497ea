/** A reason why there is no host: no compiler (exit code 3), no engine sources (4), or it does not compile (5). */
export class BuildError extends Error {
  readonly exitCode: 3 | 4 | 5;
}

/**
 * @param options.bits 32 where the compiler can, unless told
 * @param options.stress able to collect at every allocation (HostOptions.livePeaks)
 */
export function buildHost(options?: {
  bits?: 32 | 64;
  stress?: boolean;
}): Promise<{ path: string; bits: 32 | 64; built: boolean }>;
