import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import {
  decode,
  encode,
  RemoteProfileProvisioningRequest,
  RemoteProfileProvisioningResponse,
} from '../asn1/index.js';
import { pem } from '../pki/index.js';
import { EimError } from './error.js';
import type { RspConnection } from './rsp-connection.js';

export interface RspClientOptions {
  /** Where a name of an activation code really is: "smdp.example.com" → "https://127.0.0.1:8443". */
  routes?: Readonly<Record<string, string>>;
  /** CI certificates that the TLS certificates of SM-DP+ and SM-DS may hang from, besides the system's. */
  ciCertificates?: readonly Uint8Array[];
  /** Milliseconds, default 60 s. */
  timeout?: number;
}

const type = 'application/x-gsma-rsp-asn1';

/** ES9+' and ES11' over HTTPS in the ASN.1 binding (procedures.md §6). Answers are promises that reject with EimError. */
export function rspClient(options: RspClientOptions = {}): RspConnection {
  const { routes = {}, timeout = 60_000 } = options;
  const own = (options.ciCertificates ?? []).map((certificate) => pem('CERTIFICATE', certificate));
  const ca = [...rootCertificates, ...own];
  return (address, request) => {
    const route = routes[address.toLowerCase()];
    const base = route ?? `https://${address}`;
    return new Promise((resolve, reject) => {
      const failed = (why: string, cause?: unknown) =>
        reject(new EimError('network', `${base}: ${why}`, { cause }));
      if (!URL.canParse(base)) {
        failed('this is no address');
        return;
      }
      const url = new URL('/gsma/rsp2/asn1', base);
      const body = encode(RemoteProfileProvisioningRequest, request);
      const headers = {
        'content-type': type,
        'content-length': body.length,
        'x-admin-protocol': 'gsma/rsp/v2.1.0',
        'user-agent': 'gsma-rsp-eim',
      };
      const secure = url.protocol === 'https:';
      const name = address.replace(/:\d+$/, '');
      const more = secure ? { ca, ...(isIP(name) === 0 && { servername: name }) } : {};
      const outgoing = (secure ? httpsRequest : httpRequest)(
        url,
        { method: 'POST', headers, agent: false, timeout, ...more },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', (cause) => failed(cause.message, cause));
          answer.on('end', () => {
            const bytes = Uint8Array.from(Buffer.concat(chunks));
            const { statusCode = 0 } = answer;
            if (statusCode === 204 || (statusCode === 200 && bytes.length === 0)) resolve(undefined);
            else if (statusCode !== 200) failed(`HTTP ${statusCode}`);
            else {
              try {
                resolve(decode(RemoteProfileProvisioningResponse, bytes));
              } catch (cause) {
                failed('the answer cannot be read', cause);
              }
            }
          });
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeout / 1000} s`)));
      outgoing.on('error', (cause) => failed(cause.message, cause));
      outgoing.end(body);
    });
  };
}
