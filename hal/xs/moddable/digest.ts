import { Digest } from 'crypt';

/** SHA-256 of the SDK's `crypt` module. */
export const sha256: ((bytes: Uint8Array) => Uint8Array) | undefined = (bytes) => {
  const digest = new Digest('SHA256');
  // A copy: the native code takes whole buffers.
  digest.write(bytes.slice().buffer);
  return new Uint8Array(digest.close());
};
