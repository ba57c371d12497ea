export { type CoapTimes, defaultCoapTimes } from './client.js';
export { CoapLink, type CoapLinkOptions } from './link.js';
