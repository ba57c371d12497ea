export { Authentication, type Client, type Session } from './authentication.js';
export { type Binding, makeBoundProfilePackage } from './bind.js';
export { answerTo, handleAsn1, type RspServer } from './bindings.js';
export {
  defaultSmdpControlPort,
  defaultSmdsControlPort,
  ServerControlClient,
  serveSmdpControl,
  serveSmdsControl,
} from './control.js';
export { SmdpError } from './error.js';
export { type RspServerOptions, serveRsp } from './http.js';
export { handleJson } from './json.js';
export type { OrderOptions } from './make-order.js';
export type { OrderState, OrderView } from './orders.js';
export { type Provocation, provocation, provoke } from './provocation.js';
export {
  Refusal,
  type RspFunction,
  type StatusCode,
  statusCodes,
} from './refusal.js';
export { Smdp, type SmdpOptions } from './smdp.js';
