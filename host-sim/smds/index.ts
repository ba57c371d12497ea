export { type EventRecord, Smds, type SmdsOptions } from './smds.js';
