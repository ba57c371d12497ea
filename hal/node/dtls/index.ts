export type { DtlsPsk } from './client.js';
export { DtlsError } from './error.js';
export { type DtlsAddress, DtlsServer, type DtlsServerOptions, type DtlsServerSession } from './server.js';
export { type DtlsUdpOptions, dtlsUdp } from './udp.js';
