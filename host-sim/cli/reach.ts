import { type MqttClient, XsIpaError } from '../../hal/contracts/index.js';
import { type BrokerOptions, mqttConfiguration } from '../../hal/node/mqtt.js';
import type { Output } from './output.js';

export const defaultBroker = 'mqtt://127.0.0.1:1883';

/** For commands that can do without a broker of somebody else's. */
export const embeddedInstead = 'leave --broker out for an embedded broker, or start the one that you mean';

/** CONNACK codes that may be meant for the client id of this trial only: identifier rejected, not authorized. */
const idRefused: readonly unknown[] = [2, 5];

/**
 * A trial connection, with an id of its own so that the device's session is left alone. A broker that goes away later is
 * waited for; one that is not there at the start, or lets nobody in, is most likely a mistake in the options.
 * @param otherwise what else can be done when nothing is at the default address
 * @throws XsIpaError saying what to do
 */
export async function brokerAnswers(
  options: BrokerOptions,
  output: Output,
  otherwise: string,
): Promise<void> {
  const { url } = options;
  const configuration = mqttConfiguration(options);
  let client: MqttClient | undefined;
  const answer = new Promise<void>((resolve, reject) => {
    client = new configuration.io({
      ...configuration,
      id: `xs-ipa-trial-${process.pid}`,
      clean: true,
      onWritable: () => resolve(),
      onError: reject,
      onClose: () => reject(new Error('it closed the connection; is it a port for TLS, or not?')),
    });
  });
  try {
    await output.during(`connecting to ${url}`, answer);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (idRefused.includes(code)) {
      output.note(
        `the broker ${url} refuses a trial connection: ${(cause as Error).message}; check --user and --password`,
      );
      return;
    }
    const hint =
      url === defaultBroker ? otherwise : 'check --broker and the options for it, or start the broker';
    throw new XsIpaError(
      'noBroker',
      `no connection to the broker ${url}: ${whyNot(cause as Error)}; ${hint}`,
      { cause },
    );
  } finally {
    client?.close();
  }
}

/** @param reason what the serial port said */
export function noModem(where: string, reason: string): XsIpaError {
  const hint = where.startsWith('tcp:')
    ? 'start `npx xs-ipa modem`, or check the address'
    : 'check the path, and that no other program has it';
  return new XsIpaError('noModem', `no modem at ${where}: ${reason.replace(/^(Error: )+/, '')}; ${hint}`);
}

function whyNot(error: NodeJS.ErrnoException & { reason?: string }): string {
  if (error.code === 'ECONNREFUSED') return 'nothing listens there';
  if (error.code === 'ENOTFOUND') return 'the name is unknown';
  // Of OpenSSL: the message has line numbers of its source.
  if (error.reason) return error.reason;
  return error.message || String(error.code);
}
