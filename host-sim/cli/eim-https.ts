import { type Command, Option } from 'commander';
import type { XsIpaError } from '../../hal/contracts/index.js';
import { type Eim, serveHttp } from '../eim/index.js';
import { withHint } from './eim-coap.js';
import { type ServedTls, trustKinds } from './eim-tls.js';
import { whole } from './operands.js';

/** What serves ESipa over HTTPS, and where. */
interface RunningHttps {
  shown: { httpsUrl: string };
  close(): Promise<void>;
}

export function addHttpsOptions(command: Command): Command {
  return command
    .option('--https <port>', 'also answer ESipa over HTTPS; 0 takes a free port', whole(0, 65_535))
    .option('--https-cert <file>', 'PEM of its certificate (default: one of the test CI)')
    .option('--https-key <file>', "PEM of that certificate's key")
    .addOption(
      new Option('--https-trust <what>', 'what its configurations tell devices to trust (A6)')
        .choices(trustKinds)
        .default('key'),
    );
}

/** @throws HttpError for a port that cannot be had */
export async function startHttps(
  { host, https: port }: { host: string; https?: number },
  eim: Eim,
  tls: ServedTls | undefined,
  onProblem: (problem: XsIpaError) => void,
): Promise<RunningHttps | undefined> {
  if (port === undefined || !tls) return undefined;
  const running = await serveHttp({ eim, host, port, tls, onProblem }).catch((error: unknown) => {
    throw withHint(error, 'choose another with --https');
  });
  return { shown: { httpsUrl: running.url }, close: () => running.close() };
}
