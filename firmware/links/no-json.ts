import type { EsipaBinding } from '../../ipa/esipa/https/binding.js';

/** Stands for json.ts in a build without it (firmware/manifest_no_json.json). */
export const jsonBinding: (() => EsipaBinding) | undefined = undefined;
