export * from './figures.js';
export * from './json.js';
export * from './timeline.js';
export * from './trace.js';
