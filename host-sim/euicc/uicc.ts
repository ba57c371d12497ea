import { Asn1Error, readElement } from '../asn1/index.js';
import type { Card } from '../card.js';
import type { SimEvent } from '../events.js';
import { type Apdu, parseApdu, statusWord } from './apdu.js';
import { Channel, isIsdr } from './channel.js';
import type { Command, EuiccProperties } from './context.js';
import { executeEs10 } from './es10.js';
import { isdrFci } from './info.js';
import { abandonLoading } from './install.js';
import { propertiesOf, type VirtualEuiccOptions } from './options.js';
import { applyMarked } from './profiles.js';
import type { RspSession } from './session.js';
import {
  type Eim,
  type EuiccState,
  factoryState,
  loadState,
  type Pending,
  type Profile,
  saveState,
} from './state.js';

/** ATR of a T=0 card with logical channels. */
const atr = [
  0x3b, 0x9f, 0x96, 0x80, 0x1f, 0xc7, 0x80, 0x31, 0xa0, 0x73, 0xbe, 0x21, 0x13, 0x67, 0x43, 0x20, 0x07, 0x18,
  0x00, 0x00, 0x01, 0xa5,
] as const;

/**
 * A UICC with an IoT eUICC of SGP.32 v1.2 on it. Every state change is saved once, before its answer leaves; when the
 * store throws, the exception comes out of transmit() or reset(), and the card is to be made anew on the same store.
 */
export class VirtualEuicc implements Card {
  readonly #options: VirtualEuiccOptions;
  readonly #card: EuiccProperties;
  #state: EuiccState;
  #channels = new Map<number, Channel>();
  #ipad = false;
  #toolkit = false;
  #proactive: Uint8Array | undefined;
  #waitsForReset = false;
  #session: RspSession = {};

  constructor(options: VirtualEuiccOptions) {
    this.#options = options;
    this.#card = propertiesOf(options);
    const stored = options.store.load();
    this.#state = stored
      ? loadState(stored)
      : factoryState(options.profiles ?? [], {
          defaultDpAddress: options.defaultDpAddress ?? '',
          rootDsAddress: options.rootDsAddress ?? 'lpa.ds.gsma.com',
        });
    this.#powerUp();
  }

  get profiles(): readonly Readonly<Profile>[] {
    return structuredClone(this.#state.profiles);
  }

  get eims(): readonly Readonly<Eim>[] {
    return structuredClone(this.#state.eims);
  }

  get notifications(): readonly Readonly<Pending>[] {
    return structuredClone(this.#state.notifications);
  }

  get results(): readonly Readonly<Pending>[] {
    return structuredClone(this.#state.results);
  }

  /** Everything that survives a power cut; a copy. */
  get state(): Readonly<EuiccState> {
    return structuredClone(this.#state);
  }

  reset(): Uint8Array {
    this.#powerUp();
    this.#options.observe?.({ event: 'card', what: 'reset' });
    return Uint8Array.from(atr);
  }

  #powerUp(): void {
    this.#channels = new Map([[0, new Channel()]]);
    this.#ipad = false;
    this.#toolkit = false;
    this.#proactive = undefined;
    this.#waitsForReset = false;
    this.#session = {};
    const command = this.#command();
    abandonLoading(command);
    if (applyMarked(command)) command.changed = true;
    if (command.changed) this.#commit(command.state, command.events);
  }

  #command(): Command {
    return {
      card: this.#card,
      state: structuredClone(this.#state),
      session: this.#session,
      toolkit: this.#toolkit,
      changed: false,
      refresh: false,
      events: [],
    };
  }

  #commit(draft: EuiccState, events: readonly SimEvent[]): void {
    this.#options.store.save(saveState(draft));
    this.#state = draft;
    for (const event of events) this.#options.observe?.(event);
  }

  transmit(command: Uint8Array): Uint8Array {
    const apdu = parseApdu(command);
    if (typeof apdu === 'number') return statusWord(apdu);
    const channel = this.#channels.get(apdu.channel);
    if (!channel) return statusWord(0x6881);
    if (apdu.ins === 0xc0) return channel.getResponse(apdu, this.#success());
    channel.begin(apdu.ins);
    const answer = this.#execute(channel, apdu);
    if (typeof answer === 'number') return statusWord(answer === 0x9000 ? this.#success() : answer);
    return channel.answer(apdu, answer, this.#success());
  }

  /** Response data, or a status word. */
  #execute(channel: Channel, apdu: Apdu): Uint8Array | number {
    if (apdu.proprietary) {
      switch (apdu.ins) {
        case 0xaa:
          return this.#terminalCapability(apdu);
        case 0x10:
          this.#toolkit = true;
          return 0x9000;
        case 0x12:
          return this.#fetch(apdu);
        case 0x14:
        case 0xc2:
          return 0x9000;
        case 0xe2:
          return this.#storeData(channel, apdu);
        case 0xf2:
          return apdu.p2 === 0x0c ? 0x9000 : this.#status(channel);
        default:
          return 0x6d00;
      }
    }
    switch (apdu.ins) {
      case 0x70:
        return this.#manageChannel(apdu);
      case 0xa4:
        return this.#select(channel, apdu);
      case 0xb0:
        if (apdu.p1 >= 0x80) return 0x6a86;
        return channel.files.read(this.#state, (apdu.p1 << 8) | apdu.p2);
      case 0xf2:
        return this.#status(channel);
      default:
        return 0x6d00;
    }
  }

  /** 9000, or 91xx when the terminal is to fetch something (ETSI TS 102 223 §6.2). */
  #success(): number {
    return this.#proactive && this.#toolkit ? 0x9100 | this.#proactive.length : 0x9000;
  }

  /** The last template counts as a whole (ETSI TS 102 221 §11.1.19, SGP.32 §3.8.2). */
  #terminalCapability({ data }: Apdu): number {
    try {
      const template = readElement(data);
      if (template.tag !== 0xa9) return 0x6a80;
      const iot = template.children.find((child) => child.tag === 0x84);
      this.#ipad = ((iot?.content[0] ?? 0) & 0x01) !== 0;
      return 0x9000;
    } catch (error) {
      if (error instanceof Asn1Error) return 0x6a80;
      throw error;
    }
  }

  #fetch({ le }: Apdu): Uint8Array | number {
    const proactive = this.#proactive;
    if (!proactive || !this.#toolkit) return 0x6f00;
    if (le !== 0 && le !== proactive.length) return 0x6c00 | proactive.length;
    this.#proactive = undefined;
    return proactive;
  }

  #manageChannel({ p1, p2, channel, le }: Apdu): Uint8Array | number {
    const { firstChannel = 1, channelCount = 19 } = this.#options;
    if (p1 === 0x80) {
      const closed = p2 === 0 ? channel : p2;
      if (closed === 0) return 0x6a86;
      return this.#channels.delete(closed) ? 0x9000 : 0x6881;
    }
    if (p1 !== 0) return 0x6a86;
    const last = Math.min(19, firstChannel + channelCount - 1);
    if (p2 !== 0) {
      if (p2 < firstChannel || p2 > last || this.#channels.has(p2)) return 0x6a81;
      this.#channels.set(p2, new Channel());
      return 0x9000;
    }
    if (le !== 0 && le !== 1) return 0x6c01;
    for (let number = firstChannel; number <= last; number++) {
      if (this.#channels.has(number)) continue;
      this.#channels.set(number, new Channel());
      return Uint8Array.of(number);
    }
    return 0x6a81;
  }

  #select(channel: Channel, { p1, p2, data }: Apdu): Uint8Array | number {
    if (p2 !== 0x00 && p2 !== 0x04 && p2 !== 0x0c) return 0x6a86;
    if (p1 === 0x04 && this.#card.kind !== 'none' && isIsdr(data)) {
      channel.isdr = true;
      return p2 === 0x0c ? 0x9000 : isdrFci(this.#state, this.#card.kind);
    }
    const answer = channel.files.select(this.#state, p1, data);
    if (typeof answer === 'number') return answer;
    channel.isdr = false;
    return p2 === 0x0c ? 0x9000 : answer;
  }

  #status(channel: Channel): Uint8Array {
    return channel.isdr ? isdrFci(this.#state, this.#card.kind) : channel.files.status(this.#state);
  }

  #storeData(channel: Channel, apdu: Apdu): Uint8Array | number {
    if (!channel.isdr) return 0x6d00;
    // Its SM-SR talks to it under secure messaging (SGP.02 §2.2.5); nobody else does.
    if (this.#card.kind === 'm2m') return 0x6982;
    // SGP.32 §3.8.4: without the IPAd bit of the terminal the card does not talk to an IPA in the device.
    if (!this.#ipad && !this.#card.es10c) return 0x6985;
    if (this.#waitsForReset && this.#options.blockedUntilReset) return 0x6985;
    const command = channel.collect(apdu, this.#options.maxCommandBytes ?? 65_280);
    return typeof command === 'number' ? command : this.#es10(command);
  }

  #es10(bytes: Uint8Array): Uint8Array | number {
    const command = this.#command();
    const answer = executeEs10(command, bytes);
    if (command.changed) this.#commit(command.state, command.events);
    else for (const event of command.events) this.#options.observe?.(event);
    if (command.refresh) {
      this.#waitsForReset = true;
      // REFRESH, UICC reset, from the card to the terminal (ETSI TS 102 223 §6.6.13).
      this.#proactive = Uint8Array.of(0xd0, 0x09, 0x81, 0x03, 0x01, 0x01, 0x04, 0x82, 0x02, 0x81, 0x82);
    }
    return answer;
  }
}
