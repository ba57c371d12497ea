export {
  bodyOf,
  keyIdOf,
  parseCertificate,
  publicKeyOf,
  rewrap,
  spkiOf,
  subjectKeyId,
} from './certificate.js';
export { type ChainCheck, ChainError, PkiError } from './error.js';
export { loadPki, pem, savePki } from './files.js';
export { pkcs8, pointOfSpki, sec1, spkiOfPoint } from './keys.js';
export { makeEim, makePki, type PkiOptions } from './make.js';
export { publicPoint, sign, verify } from './signature.js';
export type { EimCredentials, EuiccCredentials, Pki } from './types.js';
export { isChainProblem, verifyEuiccChain } from './verify.js';
