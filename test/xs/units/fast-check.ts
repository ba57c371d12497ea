import * as real from 'fast-check';

/** XS interprets, and does so on a collector made for kilobytes: fewer runs, the same properties. */
const RUNS = 100;

export * from 'fast-check';

export const assert = ((property: never, parameters?: { numRuns?: number }) =>
  real.assert(property, {
    ...parameters,
    numRuns: Math.min(RUNS, parameters?.numRuns ?? RUNS),
  } as never)) as typeof real.assert;

export default { ...real, assert };
