export * from './agreement.js';
export * from './confirmation-code.js';
export * from './connectivity.js';
export * from './error.js';
export * from './package.js';
export * from './profile-package.js';
export * from './scp03t.js';
