export * from './cursor.js';
export * from './error.js';
export * from './stream.js';
export * from './writer.js';
