import { type Command, Option } from 'commander';
import { XsIpaError } from '../../hal/contracts/index.js';
import { type DtlsCertificate, dtlsCertificate } from '../../hal/node/dtls/index.js';
import { urlHost } from '../address.js';
import type { Clock } from '../clock.js';
import { CoapEim, CoapsDoor, type Eim } from '../eim/index.js';
import { type ServedTls, trustKinds } from './eim-tls.js';
import { collect, UsageError, whole } from './operands.js';

export interface CoapOptions {
  host: string;
  coap?: number;
  coaps?: number;
  psk: string[];
  /** Real time when absent. */
  clock?: Clock;
  /** Called for every session of DTLS. */
  onSession?: () => void;
}

/** What serves it, and where. */
interface RunningCoap {
  shown: { coapUrl?: string; coapsUrl?: string };
  close(): Promise<void>;
}

export function addCoapOptions(command: Command): Command {
  const port = whole(0, 65_535);
  return command
    .option('--coap <port>', 'also answer CoAP, without security; 0 takes a free port', port)
    .option('--coaps <port>', 'also answer CoAP over DTLS; 0 takes a free port', port)
    .option('--coaps-cert <file>', 'PEM of its certificate (default: as for --https)')
    .option('--coaps-key <file>', "PEM of that certificate's key")
    .addOption(
      new Option(
        '--coaps-trust <what>',
        'what its configurations tell devices to trust (default: as for --https)',
      ).choices(trustKinds),
    )
    .option('--psk <identity:hex>', 'a pre-shared key for --coaps; may be given several times', collect, []);
}

/** --psk, by identity. @throws UsageError */
export function preSharedKeys({ psk, coaps }: Pick<CoapOptions, 'psk' | 'coaps'>): Map<string, Uint8Array> {
  const keys = new Map(psk.map(preSharedKey));
  if (keys.size > 0 && coaps === undefined) throw new UsageError('--psk belongs to --coaps');
  return keys;
}

/** @throws UsageError, EimError for a port that cannot be had */
export async function startCoap(
  options: CoapOptions,
  eim: Eim,
  tls: ServedTls | undefined,
  onProblem: (problem: XsIpaError) => void,
): Promise<RunningCoap | undefined> {
  const { host, coap: port, coaps: securePort, onSession: onOpen } = options;
  const keys = preSharedKeys(options);
  const certificate = tls && certificateOf(tls);
  if (port === undefined && securePort === undefined) return undefined;
  const shown: RunningCoap['shown'] = {};
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    while (closing.length > 0) await closing.pop()?.();
  };
  const serve = async (address: string, port: number, option: string, tokenLength?: number) => {
    const { clock } = options;
    const coap = new CoapEim({ eim, clock, address, port, tokenLength, onProblem });
    await coap.open().catch((error: unknown) => {
      throw withHint(error, `choose another with ${option}`);
    });
    closing.push(() => coap.close());
    return coap;
  };
  try {
    if (port !== undefined)
      shown.coapUrl = `coap://${urlHost(host)}:${(await serve(host, port, '--coap')).port}`;
    if (securePort !== undefined) {
      // Behind the door is a server of its own, so that nobody else reaches it without security.
      const coap = await serve('127.0.0.1', 0, '--coaps', 1);
      const psk = (identity: string) => keys.get(identity);
      const door = new CoapsDoor({
        address: host,
        port: securePort,
        coapPort: coap.port,
        psk,
        certificate,
        onOpen,
        onClose: (inner) => coap.forget(inner),
        onProblem,
      });
      await door.open().catch((error: unknown) => {
        throw withHint(error, 'choose another with --coaps');
      });
      closing.push(() => door.close());
      shown.coapsUrl = `coaps://${urlHost(host)}:${door.port}`;
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { shown, close };
}

function certificateOf({ cert, key }: ServedTls): DtlsCertificate {
  try {
    return dtlsCertificate(cert, key);
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    throw new UsageError(`the certificate and the key for --coaps do not do${why}`, { cause });
  }
}

/** IDENTITY:KEY. @throws UsageError */
export function preSharedKey(text: string): [identity: string, key: Uint8Array] {
  const at = text.lastIndexOf(':');
  const key = text.slice(at + 1);
  if (at < 1 || !/^([0-9a-f]{2}){4,64}$/i.test(key))
    throw new UsageError('--psk is IDENTITY:KEY, the key of 4 to 64 bytes in hex');
  return [text.slice(0, at), Buffer.from(key, 'hex')];
}

/** What to do about a port that is taken. */
export function withHint(error: unknown, hint: string): unknown {
  const inUse =
    error instanceof XsIpaError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
  return inUse ? new XsIpaError(error.code, `${error.message}: ${hint}`, { cause: error }) : error;
}
