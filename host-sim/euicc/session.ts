import type { OneTimeKey } from '../rsp/index.js';
import type { ProfileLoader } from './load.js';

/** A server that AuthenticateServer has believed. */
export interface AuthenticatedServer {
  role: 'dpAuth' | 'dsAuth';
  transactionId: Uint8Array;
  /** serverSigned1.serverAddress; where notifications of the installation go. */
  serverAddress: string;
  /** registeredID of its certificates. */
  oid: string;
  ciKeyId: Uint8Array;
  euiccSignature1: Uint8Array;
}

/**
 * Remote provisioning session (SGP.22 §3.1.2), one at a time. It lives in volatile memory: a reset ends it. Each part
 * is there once its function has succeeded.
 */
export interface RspSession {
  /** Given out and not yet signed by a server. */
  euiccChallenge?: Uint8Array;
  server?: AuthenticatedServer;
  prepared?: {
    /** Point of CERT.DPpb. */
    bindingKey: Uint8Array;
    oneTimeKey: OneTimeKey;
  };
  loading?: ProfileLoader;
  /** The session is over, ImmediateEnable may still refer to what it installed (SGP.32 §5.9.15). */
  installed?: { iccid: Uint8Array; smdpOid: string; smdpAddress: string };
}

export function endSession(session: RspSession): void {
  session.euiccChallenge = undefined;
  session.server = undefined;
  session.prepared = undefined;
  session.loading = undefined;
  session.installed = undefined;
}
