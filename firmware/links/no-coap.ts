import type { LinkMaker } from '../links.js';

/** Stands for coap.ts in a build without it (firmware/manifest_no_coap.json). */
export const coapLink: LinkMaker | undefined = undefined;
