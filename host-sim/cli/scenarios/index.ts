import type { IpaSettings } from '../../../ipa/procedures/index.js';
import type { Stage } from '../stage.js';
import { downloads } from './download.js';
import { emergency } from './emergency.js';
import { fallback } from './fallback.js';
import { lifecycle } from './lifecycle.js';
import { psmo } from './psmo.js';
import { rollback } from './rollback.js';

/** A story of the demo, and what it needs around it. */
export interface Scenario {
  tell: (stage: Stage) => Promise<void>;
  /** Names what it downloads, if anything. */
  downloads?: boolean;
  ecallSupported?: boolean;
  settings?: Partial<IpaSettings>;
}

/** Long enough for a change of the operator, which takes some six seconds, and short enough to watch. */
const impatient = { registrationDeadline: 12_000, rollbackDeadline: 12_000 };
const connectivity = { ...impatient, refreshDeadline: 5_000, fallbackAfter: 10_000, fallbackReturn: 12_000 };

export const scenarios = {
  psmo: { tell: psmo },
  download: { tell: downloads, downloads: true },
  rollback: { tell: rollback, settings: impatient },
  fallback: { tell: fallback, settings: connectivity },
  emergency: { tell: emergency, downloads: true, ecallSupported: true },
  lifecycle: { tell: lifecycle, downloads: true, settings: connectivity },
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
