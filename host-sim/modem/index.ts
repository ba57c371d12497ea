export { SimModemError } from './error.js';
export { type Fault, type FaultAction, type Faults, strayReports } from './faults.js';
export { SimulatedModem, type SimulatedModemOptions } from './modem.js';
export { type Attachment, type CoverageRule, homePlmn, Network, plmnBytes } from './network.js';
export { type Personality, type PersonalityName, personalities, personalityByName } from './personality.js';
export type { TeLine, TePort } from './serial.js';
export type { Cut } from './sim.js';
export { listenTcp } from './tcp.js';
