import { generate, type NamedOption, type Packet, type ParsedPacket, parse } from 'coap-packet';
import { VirtualClock } from '../../../../host-sim/clock.js';
import { CoapLink, type CoapLinkOptions } from '../../../../ipa/esipa/coap/index.js';
import { LossyNetwork, message } from './network.js';

export const poll = Buffer.from('bf4f125a1089049032123451234512345678901235', 'hex');
export { message };

/** What the server sends to a request; its own message id and type unless it is told another one. */
export type Reply = Partial<Packet> & { from?: [address: string, port: number]; after?: number };
export type Step = (request: ParsedPacket) => Reply | Reply[];

/** A server that answers the nth new request as the nth step says, and the later ones as the last step does. */
export function world(steps: readonly Step[], options: Partial<CoapLinkOptions> = {}) {
  const clock = new VirtualClock();
  const network = new LossyNetwork(clock);
  /** All that the device sends, and the requests among it, each once. */
  const sent: (ParsedPacket & { at: number })[] = [];
  const requests: ParsedPacket[] = [];
  network.server = (datagram) => {
    const packet = parse(datagram);
    sent.push({ ...packet, at: clock.ticks });
    if (packet.code !== '0.02' || requests.some(({ messageId }) => messageId === packet.messageId)) return;
    const step = steps[Math.min(requests.length, steps.length - 1)];
    requests.push(packet);
    for (const { from, after = 0, ...reply } of [step(packet)].flat()) {
      const ack = !(reply.confirmable || reply.reset || reply.ack === false);
      const { messageId, token } = packet;
      const bytes = generate(
        { ack, messageId, token: reply.code === '0.00' ? undefined : token, ...reply },
        3_000,
      );
      clock.set(() => network.deliver(bytes, from?.[0], from?.[1]), after);
    }
  };
  const link = new CoapLink({
    eimId: 'eim',
    udp: { io: network.io },
    host: '10.0.0.1',
    timer: clock,
    random: network.random,
    ...options,
  });
  link.resume();
  const ask = (body = poll) =>
    clock.run(
      link
        .exchange(body, () => true)
        .then(
          (answer) => Buffer.from(answer),
          (error: { code: string }) => error.code,
        ),
    );
  return { clock, network, link, sent, requests, ask };
}

export const whole: Step = () => ({ code: '2.05', payload: message(10) });
export const silent: Step = () => [];
export const raw = (name: number, value: Buffer): NamedOption => ({ name: `${name}` as never, value });
export const uint = (value: number) =>
  Buffer.from(value.toString(16).padStart(value < 256 ? 2 : value < 65_536 ? 4 : 6, '0'), 'hex');
export const block = (name: 'Block1' | 'Block2', number: number, more: boolean, szx = 6): NamedOption => ({
  name,
  value: uint(number * 16 + (more ? 8 : 0) + szx),
});
export const optionOf = (packet: ParsedPacket, name: string | number): string | undefined =>
  packet.options?.find((one) => String(one.name) === String(name))?.value?.toString('hex');
