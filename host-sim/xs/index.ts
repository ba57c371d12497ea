export * from './datagrams.js';
export * from './decode.js';
export * from './device.js';
export * from './hello.js';
export * from './host.js';
export * from './relay.js';
export * from './way.js';
export type { DeviceOperation, DeviceWay } from './wire.js';
