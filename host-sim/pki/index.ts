export {
  bodyOf,
  eidOfCertificate,
  keyIdOf,
  oidOfCertificate,
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
export {
  makeEimTls,
  makeServerCertificate,
  makeSmdp,
  makeSmds,
  type ServerCertificateOptions,
  type ServerRole,
} from './servers.js';
export { publicPoint, sign, verify } from './signature.js';
export type {
  CiCredentials,
  Credential,
  EimCredentials,
  EuiccCredentials,
  Pki,
  ServerNames,
  SmdpCredentials,
  SmdsCredentials,
} from './types.js';
export {
  checkValidity,
  isChainProblem,
  type ServerIdentity,
  verifyEuiccChain,
  verifyServerChain,
} from './verify.js';
