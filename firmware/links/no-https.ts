import type { LinkMaker } from '../links.js';

/** Stands for https.ts in a build without it (firmware/manifest_no_https.json). */
export const httpsLink: LinkMaker | undefined = undefined;
