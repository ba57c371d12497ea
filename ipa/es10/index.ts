export * from './eim-configuration.js';
export * from './es10.js';
export * from './euicc-package.js';
export * from './identity.js';
export * from './notifications.js';
export * from './profiles.js';
export * from './stored-results.js';
export * from './tags.js';
