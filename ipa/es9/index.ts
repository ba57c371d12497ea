export * from './activation-code.js';
export * from './client.js';
export * from './error.js';
export * from './json-body.js';
export * from './json-reader.js';
export * from './messages.js';
