/** Uniform in [0, 1). The SDK's `rng` is seeded from the same source, so it would add nothing. For jitter only. */
export function random(): number {
  return Math.random();
}
