import type { MqttReadableOptions, Observer, TimerHandle } from '../../../hal/contracts/index.js';
import type { IpaEvent } from '../../events.js';
import { digits } from '../../text.js';
import { TlvError, Writer } from '../../tlv/index.js';
import { type Accept, type AnswerSink, type EsipaLink, LinkError } from '../link.js';
import { EsipaTag, firstTag } from '../tags.js';
import { MqttConnection, type MqttConnectionOptions } from './connection.js';
import { Outbox, type Outgoing } from './outbox.js';

export interface MqttLinkOptions extends MqttConnectionOptions {
  eimId: string;
  /** 16 bytes. */
  eid: Uint8Array;
  /** Topic templates; `{eid}` and `{eimId}` are replaced. */
  topics?: { toEim: string; toIpa: string };
  /** Template of the client id, `{eid}` where not given. Two links to one broker need two ids. */
  clientId?: string;
  /** Longest message taken, bytes. */
  messageLimit?: number;
  /** Injected messages kept until the IPA has time for them. */
  injectionLimit?: number;
  observe?: Observer<IpaEvent>;
}

/** Topic templates of the binding (docs/mqtt-binding.md); `{eid}` stands for the 32 digits of the EID. */
export function defaultTopics(): { toEim: string; toIpa: string } {
  return { toEim: 'esipa/{eid}/eim', toIpa: 'esipa/{eid}/ipa' };
}

interface Exchange {
  request: Uint8Array;
  accept: Accept;
  /** Gets the answer piece by piece. */
  into: AnswerSink | undefined;
  answerTag: number;
  outgoing: Outgoing | undefined;
  sent: number;
  timer: TimerHandle | undefined;
  resolve: (answer: Uint8Array) => void;
  reject: (error: unknown) => void;
}

/** A message without an answer: done when the broker has it. */
interface Handover {
  outgoing: Outgoing;
  timer: TimerHandle | undefined;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Bytes of a message that are read at a time; of a long one, what is held. */
const PIECE = 128;

/** ESipa over MQTT 3.1.1, a persistent session, and QoS 1 for all but polls (docs/mqtt-binding.md). */
export class MqttLink extends MqttConnection implements EsipaLink {
  readonly eimId: string;
  onInjection: (() => void) | undefined;

  readonly #options: MqttLinkOptions;
  readonly #outbox: Outbox;
  /** The message being received; nothing is held between messages. */
  readonly #incoming: Writer;
  #receiving = false;
  /** The message being received goes to a sink; this many bytes of it wait, and more will be announced. */
  #pouring = false;
  #left = 0;
  #more = false;
  #taking = false;
  /** Whole length of the message being received. */
  #byteLength: number | undefined;
  #closed = false;
  #exchange: Exchange | undefined;
  readonly #handovers: Handover[] = [];
  readonly #injections: Uint8Array[] = [];
  #dropped = 0;

  constructor(options: MqttLinkOptions) {
    const { topics = defaultTopics(), clientId = '{eid}' } = options;
    super(options, fill(clientId, options), fill(topics.toIpa, options));
    this.eimId = options.eimId;
    this.#options = options;
    this.#incoming = new Writer(PIECE, options.messageLimit ?? 16_384);
    this.#outbox = new Outbox(this, fill(topics.toEim, options));
  }

  get connected(): boolean {
    return this.ready;
  }

  override resume(): void {
    if (!this.#closed) super.resume();
  }

  override close(): void {
    if (this.#closed) return;
    this.#closed = true;
    super.close();
    this.#outbox.clear();
    this.failAll(new LinkError('closed', 'the link was closed'));
    this.#options.observe?.({ event: 'link', eimId: this.eimId, state: 'closed' });
  }

  exchange(request: Uint8Array, accept: Accept): Promise<Uint8Array> {
    return this.begin(request, accept, undefined);
  }

  download(request: Uint8Array, into: AnswerSink): Promise<unknown> {
    return this.begin(request, () => false, into);
  }

  private begin(request: Uint8Array, accept: Accept, into: AnswerSink | undefined): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new LinkError('closed', 'the link is closed'));
    if (this.#exchange) return Promise.reject(new LinkError('refused', 'an exchange is open already'));
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      const tag = firstTag(request);
      const answerTag = tag === EsipaTag.handleNotification ? EsipaTag.transferEimPackage : tag;
      this.#exchange = {
        request,
        accept,
        into,
        answerTag,
        outgoing: undefined,
        sent: 0,
        timer: undefined,
        resolve,
        reject,
      };
    });
    try {
      this.submit();
    } catch (error) {
      this.endExchange();
      return Promise.reject(error);
    }
    return answer;
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new LinkError('closed', 'the link is closed'));
    const outgoing = this.post(message);
    const taken = new Promise<void>((resolve, reject) => {
      const { answer, attempts } = this.times;
      const handover: Handover = { outgoing, timer: undefined, resolve, reject };
      this.#handovers.push(handover);
      handover.timer = this.#options.timer.set(() => {
        const detail = `the broker did not take a message for ${this.eimId} in time`;
        this.endHandover(handover).reject(new LinkError('noAnswer', detail));
      }, answer * attempts);
    });
    this.pump();
    return taken;
  }

  takeInjection(): Uint8Array | undefined {
    return this.#injections.shift();
  }

  // The connection --------------------------------------------------------------------------------------------------

  protected override onState(state: 'connecting' | 'connected' | 'lost', detail?: string): void {
    this.#options.observe?.({ event: 'link', eimId: this.eimId, state, detail });
  }

  protected override onRoom(): void {
    this.#outbox.pump();
  }

  protected override onLost(): void {
    this.#receiving = false;
    this.#outbox.restart();
    if (this.#pouring) this.breakOff('the connection broke in the middle of a long answer');
  }

  // Out -------------------------------------------------------------------------------------------------------------

  private post(message: Uint8Array): Outgoing {
    this.#options.observe?.({
      event: 'esipa',
      direction: 'up',
      eimId: this.eimId,
      tag: firstTag(message),
      message,
    });
    return this.#outbox.add(message);
  }

  private failAll(error: unknown): void {
    const exchange = this.#exchange;
    this.endExchange();
    exchange?.reject(error);
    for (const handover of [...this.#handovers]) this.endHandover(handover).reject(error);
  }

  private pump(): void {
    try {
      this.#outbox.pump();
    } catch (error) {
      // A platform that breaks its promises: whoever waits is told.
      this.failAll(error);
    }
  }

  /** Sends the request of the open exchange, and again each time its answer does not come in time. */
  private submit(): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    const { outgoing, request, sent } = exchange;
    if (sent === this.times.attempts) {
      this.endExchange();
      exchange.reject(new LinkError('noAnswer', `${this.eimId} did not answer ${sent} times`));
      return;
    }
    exchange.sent++;
    exchange.timer = this.#options.timer.set(() => this.submit(), this.times.answer);
    // What the broker does not have yet is still on its way: a second copy would not help.
    if (outgoing && !outgoing.acknowledged && !this.#outbox.forget(outgoing)) return;
    exchange.outgoing = this.post(request);
    this.pump();
  }

  protected override onAcknowledged(id: number): void {
    const outgoing = this.#outbox.acknowledge(id);
    const handover = this.#handovers.find((one) => one.outgoing === outgoing);
    if (handover) this.endHandover(handover).resolve();
    this.#outbox.pump();
  }

  private endHandover(handover: Handover): Handover {
    this.#options.timer.clear(handover.timer);
    this.#outbox.remove(handover.outgoing);
    this.#handovers.splice(this.#handovers.indexOf(handover), 1);
    return handover;
  }

  private endExchange(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (!exchange) return;
    this.#options.timer.clear(exchange.timer);
    if (exchange.outgoing) this.#outbox.remove(exchange.outgoing);
  }

  // In --------------------------------------------------------------------------------------------------------------

  protected override onReadable(count: number, { topic, byteLength, more }: MqttReadableOptions): void {
    if (topic !== undefined) {
      this.#incoming.clear();
      this.#byteLength = byteLength;
      this.#receiving = topic === this.topic;
      if (!this.#receiving) this.drop(0, 'foreignTopic');
      else if (byteLength && !this.#exchange?.into) this.#incoming.expect(byteLength);
    }
    if (this.#pouring) {
      this.#left += count;
      this.#more = more;
      void this.pour();
      return;
    }
    for (let left = count; left > 0; ) {
      const got = this.receive(left);
      if (got <= 0) break;
      left -= got;
      if (this.#receiving && this.isForSink()) {
        this.#left = left;
        this.#more = more;
        this.#pouring = true;
        void this.pour();
        return;
      }
    }
    if (more) return;
    if (this.#receiving) this.take();
    this.#receiving = false;
    this.#incoming.release();
  }

  /** Reads up to `left` bytes behind what is there of the message. @returns how many */
  private receive(left: number): number {
    const incoming = this.#incoming;
    const count = Math.min(left, PIECE);
    let piece: Uint8Array | undefined;
    try {
      if (this.#receiving) piece = incoming.space(count);
    } catch (error) {
      if (!(error instanceof TlvError)) throw error;
      // The rest of it is read and thrown away: the eIM sends it again or gives up, the connection stays usable.
      this.#receiving = false;
      const length = this.#byteLength;
      this.drop(0, `tooLong${length === undefined ? '' : ` (${length} bytes)`}`);
    }
    const got = this.read(piece ?? incoming.clear().space(count));
    if (piece && got > 0) incoming.advance(got);
    return got;
  }

  /** Is the message, of which the beginning is there, the answer of a download()? */
  private isForSink(): boolean {
    const exchange = this.#exchange;
    return exchange?.into !== undefined && firstTag(this.#incoming.bytes) === exchange.answerTag;
  }

  /** Brings what waits to the sink, piece by piece; reads on only when it has taken one. */
  private async pour(): Promise<void> {
    const exchange = this.#exchange;
    if (this.#taking || !exchange?.into) return;
    const { timer } = this.#options;
    this.#taking = true;
    timer.clear(exchange.timer);
    try {
      let wanted = true;
      // From an empty stack: the way to the card is long (docs/design.md §4).
      await undefined;
      if (this.#exchange !== exchange) return;
      if (this.#incoming.length > 0) {
        const message = this.#incoming.bytes;
        const tag = exchange.answerTag;
        const byteLength = this.#byteLength;
        this.#options.observe?.({
          event: 'esipa',
          direction: 'down',
          eimId: this.eimId,
          tag,
          message,
          byteLength,
        });
        wanted = await exchange.into.take(message);
        this.#incoming.clear();
      }
      while (wanted && this.#pouring && this.#left > 0) {
        const piece = this.#incoming.space(Math.min(this.#left, PIECE));
        const got = this.read(piece);
        if (got <= 0) break;
        this.#left -= got;
        wanted = await exchange.into.take(piece.subarray(0, got));
      }
      if (this.#exchange !== exchange) return;
      if (!wanted || (this.#left === 0 && !this.#more)) {
        this.stopPouring();
        this.endExchange();
        exchange.resolve(this.#incoming.bytes);
      } else {
        const { answer, attempts } = this.times;
        exchange.timer = timer.set(
          () => this.breakOff(`${this.eimId} fell silent in the middle of a long answer`),
          answer * attempts,
        );
      }
    } catch (error) {
      if (this.#exchange !== exchange) return;
      this.stopPouring();
      this.endExchange();
      exchange.reject(error);
    } finally {
      this.#taking = false;
    }
  }

  /** What is left of the message is read and thrown away. */
  private stopPouring(): void {
    this.#pouring = this.#receiving = false;
    for (let got = 1; this.#left > 0 && got > 0; this.#left -= got)
      got = this.read(this.#incoming.clear().space(Math.min(this.#left, PIECE)));
    this.#left = 0;
    this.#incoming.release();
  }

  private breakOff(detail: string): void {
    const exchange = this.#exchange;
    this.#pouring = this.#receiving = false;
    this.#left = 0;
    this.#incoming.clear();
    this.endExchange();
    exchange?.reject(new LinkError('noAnswer', detail));
  }

  private take(): void {
    const message = this.#incoming.bytes;
    const tag = firstTag(message);
    this.#options.observe?.({ event: 'esipa', direction: 'down', eimId: this.eimId, tag, message });
    const exchange = this.#exchange;
    if (exchange && exchange.answerTag === tag && exchange.accept(message)) {
      this.endExchange();
      exchange.resolve(this.#incoming.detach());
    } else if (tag === EsipaTag.transferEimPackage) {
      this.inject();
    } else {
      this.drop(tag, exchange?.answerTag === tag ? 'notMatching' : 'notAwaited');
    }
  }

  private inject(): void {
    if (this.#injections.length >= (this.#options.injectionLimit ?? 4)) {
      this.drop(EsipaTag.transferEimPackage, 'injectionQueueFull');
      return;
    }
    this.#injections.push(this.#incoming.detach());
    this.onInjection?.();
  }

  private drop(tag: number, reason: string): void {
    this.#dropped++;
    this.#options.observe?.({ event: 'dropped', eimId: this.eimId, tag, reason, count: this.#dropped });
  }
}

/** Fills in a template of a topic or client id. */
function fill(template: string, { eid, eimId }: MqttLinkOptions): string {
  return template.split('{eid}').join(digits(eid)).split('{eimId}').join(eimId);
}
