import { XsIpaError } from '../../hal/contracts/index.js';
import { CoapEim, CoapsDoor, type Eim, EimError } from '../eim/index.js';
import { UsageError } from './operands.js';

export interface CoapOptions {
  coap?: number;
  coaps?: number;
  psk: string[];
}

/** What serves it, and where. */
interface RunningCoap {
  shown: { coapUrl?: string; coapsUrl?: string };
  close(): Promise<void>;
}

/** @throws UsageError, EimError for a port that cannot be had */
export async function startCoap(
  options: CoapOptions,
  eim: Eim,
  onProblem: (problem: XsIpaError) => void,
): Promise<RunningCoap | undefined> {
  const { coap: port, coaps: securePort } = options;
  const keys = new Map(options.psk.map(preSharedKey));
  if (keys.size > 0 !== (securePort !== undefined)) throw new UsageError('--coaps and --psk belong together');
  if (port === undefined && securePort === undefined) return undefined;
  const coap = new CoapEim({ eim, port: port ?? 0, onProblem });
  await coap.open().catch((error: unknown) => {
    throw withHint(error, 'choose another with --coap');
  });
  if (securePort === undefined)
    return { shown: { coapUrl: `coap://127.0.0.1:${coap.port}` }, close: () => coap.close() };
  const door = new CoapsDoor({
    port: securePort,
    coapPort: coap.port,
    psk: (identity) => keys.get(identity),
    onProblem,
  });
  await door.open().catch((error: unknown) => {
    throw withHint(error, 'choose another with --coaps');
  });
  return {
    shown: {
      ...(port !== undefined && { coapUrl: `coap://127.0.0.1:${coap.port}` }),
      coapsUrl: `coaps://127.0.0.1:${door.port}`,
    },
    close: async () => {
      await door.close();
      await coap.close();
    },
  };
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
    error instanceof EimError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
  return inUse ? new XsIpaError(error.code, `${error.message}: ${hint}`, { cause: error }) : error;
}
