import { Asn1Error } from '../asn1/index.js';
import {
  HttpProblem,
  jsonObject,
  type RspHttpOptions,
  type RunningRspHttp,
  serveRspHttp,
} from '../http/index.js';
import { type Credential, pem, pkcs8 } from '../pki/index.js';
import { handleAsn1, type RspServer } from './bindings.js';
import { failed, handleJson } from './json.js';
import { Refusal, type RspFunction, type StatusCode } from './refusal.js';

// HTTP(S) of SM-DP+ and SM-DS: SGP.22 §6, procedures.md §6.

export interface RspServerOptions extends Omit<RspHttpOptions, 'tls'> {
  server: RspServer;
  /** Absent: plain HTTP, for loopback and tests. */
  tls?: Credential;
}

const functions: readonly string[] = [
  'initiateAuthentication',
  'authenticateClient',
  'getBoundProfilePackage',
  'cancelSession',
  'handleNotification',
];

const jsonPath = /^\/gsma\/rsp2\/(?:es9plus|es11)\/(\w+)$/;

/** What the JSON binding says beside the HTTP status. */
const refusals: Partial<Record<HttpProblem['code'], StatusCode>> = {
  contentType: '1.2.1/2.1',
  adminProtocol: '1.2.2/2.1',
  notJson: '1.6/4.2',
};

/** @throws HttpError 'network' when the port is taken */
export function serveRsp({ server, tls, ...options }: RspServerOptions): Promise<RunningRspHttp> {
  return serveRspHttp(
    {
      adminProtocol: 'gsma/rsp/v2.5.0',
      functionOf,
      answer({ called, body }) {
        if (called === undefined) {
          const made = asn1(server, body);
          return made && { asn1: made };
        }
        const made = handleJson(server, called as RspFunction, jsonObject(body));
        return made && { json: made };
      },
      explain({ code }) {
        const refusal = refusals[code];
        return refusal && failed(new Refusal(refusal));
      },
    },
    {
      ...options,
      ...(tls && {
        tls: { cert: pem('CERTIFICATE', tls.certificate), key: pem('PRIVATE KEY', pkcs8(tls.privateKey)) },
      }),
    },
  );
}

function functionOf(path: string): string | undefined {
  const called = jsonPath.exec(path)?.[1];
  return called !== undefined && functions.includes(called) ? called : undefined;
}

function asn1(server: RspServer, body: Uint8Array): Uint8Array | undefined {
  try {
    return handleAsn1(server, body);
  } catch (error) {
    if (error instanceof Asn1Error) throw new HttpProblem('body', `the body is no request: ${error.message}`);
    throw error;
  }
}
