export type { DtlsExpectation, DtlsPsk } from './client-exchange.js';
export { DtlsError } from './error.js';
export { type DtlsAddress, DtlsServer, type DtlsServerOptions, type DtlsServerSession } from './server.js';
export { type DtlsCertificate, dtlsCertificate } from './server-secrets.js';
export { type DtlsUdpOptions, dtlsUdp } from './udp.js';
