/** Stands for digest.ts in a build without the SDK's digests: firmware/manifest_digest.json puts that in its place. */
export const sha256: ((bytes: Uint8Array) => Uint8Array) | undefined = undefined;
