export * from './bpp-answer.js';
export * from './choice.js';
export * from './compact.js';
export * from './dispatcher.js';
export * from './download.js';
export * from './link.js';
export * from './messages.js';
export * from './tags.js';
