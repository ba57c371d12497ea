export { jsonObject } from './body.js';
export { askControl, type RunningControl, serveControlHttp } from './control.js';
export {
  base64,
  bytesOf,
  failure,
  type JsonAnswer,
  type JsonBody,
  jsonPieces,
  success,
  textOf,
} from './json.js';
export { HttpError, HttpProblem } from './problem.js';
export {
  asn1Path,
  type RspAnswer,
  type RspHttpOptions,
  type RspRequest,
  type RspService,
  type RunningRspHttp,
  serveRspHttp,
  shortTickets,
} from './rsp.js';
