export {
  bodyOf,
  keyIdOf,
  parseCertificate,
  pointOfSpki,
  publicKeyOf,
  rewrap,
  spkiOf,
  spkiOfPoint,
  subjectKeyId,
} from './certificate.js';
export { type ChainCheck, ChainError, PkiError } from './error.js';
export { loadPki, pem, pkcs8, savePki, sec1 } from './files.js';
export { makeEim, makePki, type PkiOptions } from './make.js';
export { publicPoint, sign, verify } from './signature.js';
export type { EimCredentials, EuiccCredentials, Pki } from './types.js';
export { isChainProblem, verifyEuiccChain } from './verify.js';
