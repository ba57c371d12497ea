import { connect } from 'node:net';
import { XsIpaError } from '../../hal/contracts/index.js';
import { mqttConfiguration } from '../../hal/node/mqtt.js';
import type { Output } from './output.js';

export const defaultBroker = 'mqtt://127.0.0.1:1883';

/**
 * A broker that goes away later is waited for; one that is not there at the start is most likely a wrong address.
 * @throws XsIpaError saying what to do
 */
export async function brokerListens(url: string, output: Output): Promise<void> {
  const { host, port = 1883 } = mqttConfiguration({ url });
  const attempt = new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port, timeout: 10_000 });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error('no answer within 10 s')));
    socket.once('error', reject);
  });
  try {
    await output.during(`connecting to ${url}`, attempt);
  } catch (cause) {
    const hint =
      url === defaultBroker
        ? 'start `xs-ipa eim serve`, which brings a broker, or name yours with --broker'
        : 'check --broker, or start the broker';
    throw new XsIpaError('noBroker', `no broker at ${url}: ${whyNot(cause as Error)}; ${hint}`, { cause });
  }
}

/** @param reason what the serial port said */
export function noModem(where: string, reason: string): XsIpaError {
  const hint = where.startsWith('tcp:')
    ? 'start `xs-ipa modem`, or check the address'
    : 'check the path, and that no other program has it';
  return new XsIpaError('noModem', `no modem at ${where}: ${reason.replace(/^(Error: )+/, '')}; ${hint}`);
}

function whyNot(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'nothing listens there';
  if (error.code === 'ENOTFOUND') return 'the name is unknown';
  return error.message || String(error.code);
}
