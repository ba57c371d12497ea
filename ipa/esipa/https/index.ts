export * from './asn1.js';
export * from './binding.js';
export * from './link.js';
