import type { Socket } from 'node:net';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { GetEimPackageResponse } from '../asn1/index.js';
import type { Eim } from './eim.js';
import { EimError } from './error.js';

export interface MqttEimOptions {
  eim: Eim;
  /** mqtt://host:port or mqtts://host:port */
  url: string;
  /** Fixed, so that the broker keeps the session. Default: "eim-" and the eimId. */
  clientId?: string;
  username?: string;
  password?: string;
  /** PEM; `servername` when the broker's certificate is for another name than the URL's. */
  tls?: { ca?: string; cert?: string; key?: string; servername?: string };
  /** {eid} stands for one whole level, {eimId} for the identifier of this eIM (docs/mqtt-binding.md). */
  topics?: { toEim: string; toIpa: string };
  /** Pause before a new attempt to connect, milliseconds, default 1000. */
  reconnectMilliseconds?: number;
  /** A message that could not be taken or published, or a lost connection. */
  onProblem?: (problem: EimError) => void;
}

const defaultTopics = { toEim: 'esipa/{eid}/eim', toIpa: 'esipa/{eid}/ipa' };

/** Binds an eIM to a broker: QoS 1, persistent session, one ESipa message per publish. */
export class MqttEim {
  readonly #options: MqttEimOptions;
  readonly #toEim: string;
  readonly #toIpa: string;
  #client: MqttClient | undefined;

  /** @throws EimError 'argument' for topic templates without a level {eid} */
  constructor(options: MqttEimOptions) {
    this.#options = options;
    const { toEim, toIpa } = options.topics ?? defaultTopics;
    this.#toEim = filled(toEim, options.eim.eimId);
    this.#toIpa = filled(toIpa, options.eim.eimId);
  }

  /** Connected and subscribed when it resolves; later losses are repaired. @throws EimError 'network' */
  async open(): Promise<void> {
    const { eim, url, clientId = `eim-${eim.eimId}`, username, password, tls } = this.#options;
    const options: IClientOptions = {
      clientId,
      username,
      password,
      ...tls,
      clean: false,
      protocolVersion: 4,
      reconnectPeriod: this.#options.reconnectMilliseconds ?? 1000,
    };
    const client = connect(url, options);
    this.#client = client;
    // Answers are short, and must not wait for the acknowledgement of what went before.
    client.on('connect', () => (client.stream as Partial<Socket>).setNoDelay?.(true));
    // Instead of a 'message' listener: the broker gets its PUBACK only after the eIM has taken the message for good.
    client.handleMessage = (packet, done) => {
      try {
        this.#take(packet.topic, packet.payload as Buffer);
      } catch (cause) {
        this.#problem(`a message on ${packet.topic} could not be taken`, cause);
        // Without a PUBACK the broker sends it again on a new connection.
        done(cause as Error);
        client.stream.destroy();
        return;
      }
      done();
    };
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve());
        client.once('error', reject);
        client.once('close', () => reject(new Error('the broker closed the connection')));
      });
      const [granted] = await client.subscribeAsync(this.#toEim.replace('{eid}', '+'), { qos: 1 });
      if (granted && granted.qos > 1)
        throw new Error(`the broker refuses a subscription to ${granted.topic}`);
    } catch (cause) {
      client.on('error', () => {});
      await client.endAsync(true);
      this.#client = undefined;
      const { message } = cause as Error;
      throw new EimError(
        'network',
        `no connection to the broker ${url}: ${message || (cause as { code?: string }).code}`,
        { cause },
      );
    }
    client.on('error', (cause) => this.#problem('the connection to the broker failed', cause));
    eim.onInjection = (eid, message) => this.#publish(eid, message);
  }

  #take(topic: string, payload: Buffer): void {
    const eid = eidOf(topic, this.#toEim);
    if (eid === undefined) return;
    const answer = this.#options.eim.handle(Uint8Array.from(payload), {
      eid,
      link: 'mqtt',
      answer: (message) => this.#publish(eid, message),
      failed: (cause) => this.#problem(`a message of ${eid} could not be answered`, cause),
    });
    if (answer) this.#publish(eid, answer);
  }

  #publish(eid: string, message: Uint8Array): void {
    // The answer to a poll is worth nothing later; the device asks again.
    const qos = ((message[0] << 8) | message[1]) === GetEimPackageResponse.tag ? 0 : 1;
    this.#client?.publish(this.#toIpa.replace('{eid}', eid), Buffer.from(message), { qos }, (cause) => {
      if (cause) this.#problem(`a message for ${eid} could not be published`, cause);
    });
  }

  #problem(what: string, cause: unknown): void {
    const detail = cause instanceof Error ? cause.message : String(cause);
    this.#options.onProblem?.(new EimError('network', `${what}: ${detail}`, { cause }));
  }

  /** Leaves the broker, which keeps the session. Idempotent. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (!client) return;
    this.#options.eim.onInjection = undefined;
    await client.endAsync();
  }
}

function filled(template: string, eimId: string): string {
  const levels = template.split('/');
  if (levels.filter((level) => level === '{eid}').length !== 1 || /[+#]/.test(template)) {
    throw new EimError('argument', `the topic template "${template}" needs one level {eid} and no wildcard`);
  }
  return template.replace('{eimId}', eimId);
}

/** EID in a topic that fits the template. */
function eidOf(topic: string, template: string): string | undefined {
  const levels = topic.split('/');
  const wanted = template.split('/');
  const fits =
    levels.length === wanted.length && wanted.every((level, i) => level === '{eid}' || level === levels[i]);
  return fits ? levels[wanted.indexOf('{eid}')] : undefined;
}
