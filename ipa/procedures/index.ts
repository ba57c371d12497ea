export * from './bring-up.js';
export * from './context.js';
export * from './deliver.js';
export * from './poll.js';
export * from './state-change.js';
