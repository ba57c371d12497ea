import type { SecureTcp } from '../../contracts/index.js';

/** Stands for tls.ts in a build without TLS: firmware/manifest_tls.json puts that in its place. */
export const tlsSocket: SecureTcp | undefined = undefined;
