export type { CardKind } from './context.js';
export type { Eim, EuiccState, Pending, Profile, ProfileSeed } from './state.js';
export { VirtualEuicc, type VirtualEuiccOptions } from './uicc.js';
