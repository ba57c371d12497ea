import type { EsipaBinding } from '../../ipa/esipa/https/binding.js';
import { JsonBinding } from '../../ipa/esipa/https/json.js';

/** The JSON binding of HTTPS. */
export const jsonBinding: (() => EsipaBinding) | undefined = () => new JsonBinding();
