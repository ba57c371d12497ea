export type { CardKind } from './context.js';
export type { VirtualEuiccOptions } from './options.js';
export type { Eim, EuiccState, Pending, Profile, ProfileSeed } from './state.js';
export { VirtualEuicc } from './uicc.js';
