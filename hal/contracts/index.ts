export * from './events.js';
export * from './modem.js';
export * from './mqtt.js';
export * from './platform.js';
export * from './serial.js';
export * from './storage.js';
export * from './timer.js';
export * from './uicc.js';
