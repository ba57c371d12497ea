import { Encoder } from 'cbor-x';
import {
  type AuthenticateClientRequest,
  type AuthenticateClientResponseEs11,
  type EventEntry,
  hex,
  type InitiateAuthenticationRequest,
} from '../asn1/index.js';
import type { Clock } from '../clock.js';
import type { SimEvent, SmdsHappening } from '../events.js';
import type { SmdsCredentials } from '../pki/index.js';
import {
  Authentication,
  type Provocation,
  provocation,
  provoke,
  Refusal,
  type RspFunction,
  SmdpError,
} from '../smdp/index.js';
import type { Store } from '../store.js';

export interface SmdsOptions {
  credentials: SmdsCredentials;
  /** Trust anchors for the eUICCs, whole X.509 DER. */
  ciCertificates: readonly Uint8Array[];
  store: Store;
  clock: Clock;
  /** 0 ≤ x < 1. */
  random: () => number;
  /** Further names this server answers to. Its FQDN is always one. */
  addresses?: readonly string[];
  observe?: (event: SimEvent) => void;
}

/** An event that waits for its eUICC. */
export interface EventRecord extends EventEntry {
  /** 32 digits. */
  eid: string;
}

interface Whole {
  version: 1;
  events: EventRecord[];
}

const sessionTimeout = 10 * 60_000;

/** An SM-DS (SGP.22 §3.6, §5.8, §5.9): SM-DP+ register events, an LPA, IPA or eIM asks for those of an eUICC. */
export class Smds {
  readonly #options: SmdsOptions;
  readonly #codec = new Encoder({ useRecords: false, mapsAsObjects: true });
  readonly #sessions: Authentication;
  readonly #whole: Whole;
  readonly #addresses: string[];
  readonly #provoked: Provocation[] = [];

  /** @throws SmdpError 'state' */
  constructor(options: SmdsOptions) {
    this.#options = options;
    const bytes = options.store.load();
    this.#whole = bytes ? this.#read(bytes) : { version: 1, events: [] };
    this.#addresses = [options.credentials.address, ...(options.addresses ?? [])];
    this.#sessions = new Authentication({
      ...options,
      addresses: this.#addresses,
      sessionTimeout,
      statuses: {
        address: '8.9.1/3.8',
        ciKey: '8.9.2/3.1',
        version: '8.9.3/3.1',
        certificate: '8.9.4/3.7',
      },
    });
  }

  get address(): string {
    return this.#options.credentials.address;
  }

  /** A further name this server answers to. */
  answerTo(address: string): void {
    this.#addresses.push(address);
  }

  get events(): readonly EventRecord[] {
    return this.#whole.events;
  }

  /** ES12.RegisterEvent; the same again is nothing new. @throws SmdpError 'argument' */
  register(event: EventRecord): void {
    if (!/^\d{32}$/.test(event.eid)) throw new SmdpError('argument', `"${event.eid}" is no EID of 32 digits`);
    if (!event.eventId || !event.rspServerAddress)
      throw new SmdpError('argument', 'an event needs eventId and rspServerAddress');
    const { events } = this.#whole;
    if (events.some(({ eid, eventId }) => eid === event.eid && eventId === event.eventId)) return;
    const { eid, eventId, rspServerAddress } = event;
    events.push({ eid, eventId, rspServerAddress });
    this.#save();
    this.#report('registered', eid, { eventId, rspServerAddress });
  }

  /** ES12.DeleteEvent. @throws SmdpError 'unknownOrder' */
  delete(eid: string, eventId: string): void {
    const left = this.#whole.events.filter((event) => event.eid !== eid || event.eventId !== eventId);
    if (left.length === this.#whole.events.length)
      throw new SmdpError('unknownOrder', `there is no event ${eventId} for ${eid}`);
    this.#whole.events = left;
    this.#save();
    this.#report('deleted', eid, { eventId });
  }

  /** Told instead of what would be right: "8.9.5/3.9", or with "@function". @throws SmdpError 'argument' */
  provoke(text: string, times?: number): void {
    this.#provoked.push(provocation(text, times));
  }

  /** @throws Refusal */
  initiateAuthentication(request: InitiateAuthenticationRequest) {
    return this.#told('initiateAuthentication', () => {
      const answer = this.#sessions.initiate(request);
      this.#report('sessionStarted', undefined, {
        transactionId: hex(answer.transactionId),
        address: answer.serverSigned1.value.serverAddress,
      });
      return answer;
    });
  }

  /** By EventID, or all of that eUICC when the matchingId is absent or empty. @throws Refusal */
  authenticateClientEs11(
    request: AuthenticateClientRequest,
  ): NonNullable<AuthenticateClientResponseEs11['authenticateClientOk']> {
    return this.#told('authenticateClient', () => {
      const session = this.#sessions.session(request.transactionId);
      const { eid, ctxParams1 } = this.#sessions.authenticate(session, request);
      const { matchingId = '' } = ctxParams1.ctxParamsForCommonAuthentication;
      const found = this.#whole.events.filter(
        (event) => event.eid === eid && (matchingId === '' || event.eventId === matchingId),
      );
      if (matchingId !== '' && found.length === 0) throw new Refusal('8.9.5/3.9', `no event ${matchingId}`);
      const eventEntries = found.map(({ eventId, rspServerAddress }) => ({ eventId, rspServerAddress }));
      this.#report('eventsGiven', eid, { eventIds: found.map(({ eventId }) => eventId) });
      return { transactionId: session.transactionId, eventEntries };
    });
  }

  #told<T>(called: RspFunction, act: () => T): T {
    try {
      provoke(this.#provoked, called);
      return act();
    } catch (error) {
      if (error instanceof Refusal)
        this.#report('refused', undefined, { function: called, status: error.status, why: error.message });
      throw error;
    }
  }

  #save(): void {
    this.#options.store.save(this.#codec.encode(this.#whole));
  }

  #read(bytes: Uint8Array): Whole {
    try {
      const whole = this.#codec.decode(Uint8Array.from(bytes)) as Whole;
      if (whole?.version === 1) return whole;
    } catch (cause) {
      throw new SmdpError('state', 'the stored state of the SM-DS is damaged', { cause });
    }
    throw new SmdpError('state', 'the stored state of the SM-DS has another version');
  }

  #report(what: SmdsHappening, eid: string | undefined, detail: Record<string, unknown>): void {
    this.#options.observe?.({ event: 'smds', what, eid, detail });
  }
}
