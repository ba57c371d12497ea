export * from './bring-up.js';
export * from './context.js';
export * from './deliver.js';
export * from './poll.js';
export * from './session.js';
export * from './settings.js';
export * from './state-change.js';
