export { Broker, type BrokerOptions, type RunningBroker } from './broker.js';
export { CoapBinding, type CoapBindingOptions, CoapEim, type CoapEimOptions } from './coap.js';
export { CoapsDoor, type CoapsDoorOptions } from './coaps.js';
export type { ConfigurationOptions } from './configuration.js';
export {
  type ControlOptions,
  defaultControlPort,
  EimControlClient,
  type EimStatus,
  type OrderRequest,
  serveControl,
} from './control.js';
export { Eim, type EimOptions, type QueueOptions } from './eim.js';
export { EimError } from './error.js';
export type { MessageContext } from './esipa.js';
export { handleHttp, serveHttp, speakerOf } from './http.js';
export { MqttEim, type MqttEimOptions } from './mqtt.js';
export {
  type DataOrder,
  type DownloadTrigger,
  dataTags,
  type EcoOrder,
  type EimConfiguration,
  type Order,
  type PsmoOrder,
} from './orders.js';
export type { OperationResult, Outcome } from './outcome.js';
export { type RspClientOptions, rspClient } from './rsp-client.js';
export type { RspConnection } from './rsp-connection.js';
export type { DeviceView } from './state.js';
