export * from './decode.js';
export * from './device.js';
export * from './host.js';
export * from './relay.js';
export type { DeviceOperation } from './wire.js';
