import {
  type AuthenticateClientRequest,
  type AuthenticateClientResponseEs9,
  CancelSessionReasonNames,
  type CancelSessionRequestEs9,
  concat,
  DownloadErrorNames,
  decode,
  type GetBoundProfilePackageRequest,
  hex,
  type InitiateAuthenticationRequest,
  type PendingNotification,
  Signature,
  SmdpSigned2,
  StoreMetadataRequest,
  toSign,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Clock } from '../clock.js';
import type { SimEvent, SmdpHappening } from '../events.js';
import { oidOfCertificate, publicKeyOf, type SmdpCredentials, sign, verify } from '../pki/index.js';
import { bindConfirmationCode, RspError } from '../rsp/index.js';
import type { Store } from '../store.js';
import { Authentication, type Session } from './authentication.js';
import { freshKeys, makeBoundProfilePackage } from './bind.js';
import { checkEligible } from './eligibility.js';
import { SmdpError } from './error.js';
import { makeOrder, type OrderOptions } from './make-order.js';
import { receive } from './notifications.js';
import { type DownloadOrder, OrderBook, type OrderView, viewOf } from './orders.js';
import { type Provocation, provocation, provoke } from './provocation.js';
import { Refusal, type RspFunction } from './refusal.js';

export interface SmdpOptions {
  credentials: SmdpCredentials;
  /** Trust anchors for the eUICCs, whole X.509 DER. */
  ciCertificates: readonly Uint8Array[];
  store: Store;
  clock: Clock;
  /** 0 ≤ x < 1; transactions, challenges and session keys come from it. */
  random: () => number;
  /** Further names this server answers to, such as "127.0.0.1:8443". Its FQDN is always one. */
  addresses?: readonly string[];
  /** Milliseconds, default 30 minutes: a slow device may need that long for a large profile. */
  sessionTimeout?: number;
  observe?: (event: SimEvent) => void;
}

interface DownloadSession extends Session {
  order?: DownloadOrder;
  smdpSigned2?: { bytes: Uint8Array; signature: Uint8Array };
  /** The package was handed out. */
  bound?: boolean;
}

const mostWrongCodes = 3;

/**
 * An SM-DP+ (SGP.22 §2.6, §5.6) behind any link: what it is asked comes as values of the ASN.1 messages and is answered
 * with such values. Synchronous; every function throws {@link Refusal} for what a client does not get.
 */
export class Smdp {
  readonly #options: SmdpOptions;
  readonly #book: OrderBook;
  readonly #sessions: Authentication<DownloadSession>;
  readonly #addresses: string[];
  readonly #provoke: Provocation[] = [];

  /** @throws SmdpError 'state' */
  constructor(options: SmdpOptions) {
    this.#options = options;
    this.#book = new OrderBook(options.store);
    this.#addresses = [options.credentials.address, ...(options.addresses ?? [])];
    this.#sessions = new Authentication({
      ...options,
      addresses: this.#addresses,
      sessionTimeout: options.sessionTimeout ?? 30 * 60_000,
      statuses: {
        address: '8.8.1/3.8',
        ciKey: '8.8.2/3.1',
        version: '8.8.3/3.1',
        certificate: '8.8.4/3.7',
      },
    });
  }

  get address(): string {
    return this.#options.credentials.address;
  }

  get oid(): string {
    return this.#options.credentials.oid;
  }

  /** A further name this server answers to. */
  answerTo(address: string): void {
    this.#addresses.push(address);
  }

  // ------------------------------------------------------------------------------------------------ orders

  /** @throws SmdpError 'argument' */
  order(options: OrderOptions): OrderView {
    const order = makeOrder(options, this.address, this.#sessions);
    const clash = this.#book.orders.find(
      (other) =>
        other.matchingId === order.matchingId &&
        (order.matchingId !== undefined || other.eid === order.eid) &&
        (other.state === 'released' || other.state === 'confirmed' || other.state === 'downloaded'),
    );
    if (clash) {
      const which = order.matchingId === undefined ? `EID ${order.eid}` : `matchingId ${order.matchingId}`;
      throw new SmdpError('argument', `there is an open order for ${which} already`);
    }
    this.#book.add(order);
    this.#report('ordered', order.eid, {
      iccid: order.iccid,
      matchingId: order.matchingId,
      state: order.state,
    });
    return viewOf(order, this.address);
  }

  /** @param key matchingId, ICCID or EID. @throws SmdpError 'unknownOrder' */
  release(key: string): OrderView {
    const order = this.#find(key);
    if (order.state !== 'confirmed' && order.state !== 'error')
      throw new SmdpError('argument', `the order ${key} is ${order.state}, not waiting for its release`);
    order.state = 'released';
    order.outcome = undefined;
    order.wrongConfirmationCodes = 0;
    order.attempts = 0;
    this.#book.save();
    this.#report('released', order.eid, { iccid: order.iccid });
    return viewOf(order, this.address);
  }

  /** @throws SmdpError 'unknownOrder' */
  withdraw(key: string): void {
    this.#book.remove(this.#find(key));
  }

  orders(): OrderView[] {
    return this.#book.orders.map((order) => viewOf(order, this.address));
  }

  /** Notifications of all orders and of profiles without one, in the order they came. */
  notifications(): { seqNumber: number; event: string; verified: boolean; iccid?: string }[] {
    return [...this.#book.orders.flatMap(({ notifications }) => notifications), ...this.#book.strays]
      .sort((a, b) => a.at - b.at)
      .map(({ seqNumber, event, verified, iccid }) => ({ seqNumber, event, verified, iccid }));
  }

  /** Whatever the order: as {@link OrderOptions.provoke}. @throws SmdpError 'argument' */
  provoke(text: string, times?: number): void {
    this.#provoke.push(provocation(text, times));
  }

  #find(key: string): DownloadOrder {
    const order = [...this.#book.orders]
      .reverse()
      .find(({ matchingId, iccid, eid }) => matchingId === key || iccid === key || eid === key);
    if (!order) throw new SmdpError('unknownOrder', `there is no order for ${key}`);
    return order;
  }

  // -------------------------------------------------------------------------------------------------- ES9+

  initiateAuthentication(request: InitiateAuthenticationRequest) {
    return this.#told('initiateAuthentication', undefined, () => {
      this.#provoked('initiateAuthentication');
      const answer = this.#sessions.initiate(request);
      this.#report('sessionStarted', undefined, {
        transactionId: hex(answer.transactionId),
        address: answer.serverSigned1.value.serverAddress,
      });
      return answer;
    });
  }

  authenticateClient(
    request: AuthenticateClientRequest,
  ): NonNullable<AuthenticateClientResponseEs9['authenticateClientOk']> {
    return this.#told('authenticateClient', request.transactionId, () => {
      const session = this.#sessions.session(request.transactionId);
      this.#provoked('authenticateClient');
      const client = this.#sessions.authenticate(session, request);
      const { clock, credentials } = this.#options;
      const order = this.#orderFor(client.eid, client.ctxParams1.ctxParamsForCommonAuthentication.matchingId);
      this.#provoked('authenticateClient', order);
      if (order.state === 'confirmed') throw new Refusal('8.2/1.2');
      if (order.expires !== undefined && clock.now > order.expires) {
        this.#fail(order, 'expired');
        throw new Refusal('8.8.5/4.1');
      }
      if (++order.attempts > order.maxAttempts) {
        this.#fail(order, 'too many attempts');
        throw new Refusal('8.8.5/6.4');
      }
      this.#book.save();
      const metadata = { bytes: order.metadata, value: decode(StoreMetadataRequest, order.metadata) };
      checkEligible(client.euiccInfo2, metadata.value, order.profile.length);
      order.eid = client.eid;
      session.order = order;
      const smdpSigned2 = toSign(SmdpSigned2, {
        transactionId: session.transactionId,
        ccRequiredFlag: order.confirmationHash !== undefined,
        ...(order.boundTo && { bppEuiccOtpk: order.boundTo }),
      });
      const smdpSignature2 = sign(
        credentials.pb.privateKey,
        smdpSigned2.bytes,
        Signature.write(client.euiccSignature1),
      );
      session.smdpSigned2 = { bytes: smdpSigned2.bytes, signature: smdpSignature2 };
      this.#book.save();
      this.#report('clientAuthenticated', client.eid, {
        transactionId: hex(session.transactionId),
        iccid: order.iccid,
        attempt: order.attempts,
      });
      return {
        transactionId: session.transactionId,
        profileMetadata: metadata,
        smdpSigned2,
        smdpSignature2,
        smdpCertificate: credentials.pb.certificate,
      };
    });
  }

  /** By matchingId, or what waits for this eUICC when it names none. */
  #orderFor(eid: string, matchingId = ''): DownloadOrder {
    const open = ({ state }: DownloadOrder) =>
      state === 'released' || state === 'confirmed' || state === 'downloaded';
    if (matchingId === '') {
      const order = this.#book.orders.find(
        (one) => one.matchingId === undefined && one.eid === eid && open(one),
      );
      if (!order) throw new Refusal('8.2.6/3.8', 'no profile waits for this eUICC');
      return order;
    }
    const order = [...this.#book.orders].reverse().find((one) => one.matchingId === matchingId);
    if (!order) throw new Refusal('8.2.6/3.8', `there is no order ${matchingId}`);
    if (order.eid !== undefined && order.eid !== eid)
      throw new Refusal('8.1.1/3.8', `the order is for ${order.eid}`);
    if (!open(order)) throw new Refusal('8.2.6/3.8', `the order is ${order.state}`);
    return order;
  }

  /** @returns transactionId and BF36 */
  getBoundProfilePackage(request: GetBoundProfilePackageRequest): {
    transactionId: Uint8Array;
    boundProfilePackage: Uint8Array;
  } {
    return this.#told('getBoundProfilePackage', request.transactionId, () => {
      const session = this.#sessions.session(request.transactionId);
      const { order, client, smdpSigned2 } = session;
      if (!order || !client || !smdpSigned2)
        throw new Refusal('8.10.1/3.9', 'AuthenticateClient has not succeeded in this session');
      this.#provoked('getBoundProfilePackage', order);
      const { downloadResponseOk, downloadResponseError } = request.prepareDownloadResponse.value;
      if (downloadResponseError) {
        this.#sessions.end(session);
        const { downloadErrorCode: code } = downloadResponseError;
        const name = (DownloadErrorNames as Record<number, string>)[code] ?? code;
        throw new Refusal('8.1/4.2', `the eUICC refused PrepareDownload: ${name}`);
      }
      if (!downloadResponseOk)
        throw new Refusal('1.6/4.2', 'compact forms are for an eIM, which makes them whole');
      const { euiccSigned2, euiccSignature2 } = downloadResponseOk;
      const signed = concat([euiccSigned2.bytes, Signature.write(smdpSigned2.signature)]);
      if (!verify(publicKeyOf(client.euiccCertificate), euiccSignature2, signed))
        throw new Refusal('8.1/6.1', 'the signature of euiccSigned2 is wrong');
      const { transactionId, euiccOtpk, hashCc } = euiccSigned2.value;
      if (!sameBytes(transactionId, session.transactionId))
        throw new Refusal('8.10.1/3.9', 'the transactionId of euiccSigned2 is another one');
      this.#checkConfirmation(order, hashCc, transactionId);
      if (order.boundTo && order.oneBinding && !sameBytes(order.boundTo, euiccOtpk))
        throw new Refusal('8.2/3.7');
      const boundProfilePackage = this.#bind(order, client.eid, transactionId, euiccOtpk);
      order.boundTo = euiccOtpk.slice();
      order.state = 'downloaded';
      order.transactionId = transactionId.slice();
      order.euiccCertificate = client.euiccCertificate;
      session.bound = true;
      this.#book.save();
      this.#report('downloaded', client.eid, {
        transactionId: hex(transactionId),
        iccid: order.iccid,
        bytes: boundProfilePackage.length,
      });
      return { transactionId, boundProfilePackage };
    });
  }

  #checkConfirmation(order: DownloadOrder, hashCc: Uint8Array | undefined, transactionId: Uint8Array): void {
    if (!order.confirmationHash) return;
    if (!hashCc) throw new Refusal('8.2.7/2.2');
    if (sameBytes(hashCc, bindConfirmationCode(order.confirmationHash, transactionId))) {
      order.wrongConfirmationCodes = 0;
      return;
    }
    if (++order.wrongConfirmationCodes < mostWrongCodes) {
      this.#book.save();
      throw new Refusal('8.2.7/3.8');
    }
    this.#fail(order, 'too many wrong confirmation codes');
    throw new Refusal('8.2.7/6.4');
  }

  #bind(order: DownloadOrder, eid: string, transactionId: Uint8Array, euiccOtpk: Uint8Array): Uint8Array {
    const { random, credentials } = this.#options;
    try {
      return makeBoundProfilePackage({
        transactionId,
        hostId: this.#sessions.bytes(16),
        eid: Uint8Array.from(Buffer.from(eid, 'hex')),
        euiccOtpk,
        signingKey: credentials.pb.privateKey,
        metadata: order.metadata,
        profile: order.profile,
        ...freshKeys(random, order.replaceSessionKeys),
      });
    } catch (error) {
      if (!(error instanceof RspError)) throw error;
      throw new Refusal('8.1/6.1', error.message, { cause: error });
    }
  }

  cancelSession(request: CancelSessionRequestEs9): void {
    this.#told('cancelSession', request.transactionId, () => {
      const session = this.#sessions.session(request.transactionId);
      this.#provoked('cancelSession', session.order);
      const { cancelSessionResponseOk } = request.cancelSessionResponse;
      const { client, order } = session;
      if (!cancelSessionResponseOk) {
        this.#sessions.end(session);
        this.#report('cancelled', client?.eid, {
          transactionId: hex(session.transactionId),
          reason: 'unsigned',
        });
        return;
      }
      const { euiccCancelSessionSigned, euiccCancelSessionSignature } = cancelSessionResponseOk;
      const { transactionId, smdpOid, reason } = euiccCancelSessionSigned.value;
      // Without AuthenticateClient it is not known whose signature this should be, and no order is touched.
      if (
        client &&
        !verify(
          publicKeyOf(client.euiccCertificate),
          euiccCancelSessionSignature,
          euiccCancelSessionSigned.bytes,
        )
      )
        throw new Refusal('8.1/6.1', 'the signature of euiccCancelSessionSigned is wrong');
      if (!sameBytes(transactionId, session.transactionId)) throw new Refusal('8.10.1/3.9');
      const own = oidOfCertificate(this.#options.credentials.auth.certificate) ?? this.oid;
      if (smdpOid !== own) throw new Refusal('8.8/3.10', `${smdpOid} is not the OID of this SM-DP+, ${own}`);
      this.#sessions.end(session);
      const name = (CancelSessionReasonNames as Record<number, string>)[reason] ?? String(reason);
      // Postponed and timed out downloads may come again (SGP.22 §3.0.2); the others are for the operator to look at.
      if (order && name !== 'postponed' && name !== 'timeout') this.#fail(order, `cancelled: ${name}`);
      this.#report('cancelled', client?.eid, {
        transactionId: hex(session.transactionId),
        reason: name,
        ...(order && { iccid: order.iccid }),
      });
    });
  }

  /** Never refuses: who notifies is done with it (SGP.22 §5.6.4). What cannot be believed is kept and reported as such. */
  handleNotification(notification: PendingNotification): void {
    const taken = receive(notification, this.#book, this.#options);
    if (!taken) {
      this.#report('rejected', undefined, { why: 'compact notifications are for an eIM' });
      return;
    }
    const { order, received, result, again } = taken;
    if (again) {
      this.#report('notification', order?.eid, { seqNumber: received.seqNumber, again: true });
      return;
    }
    if (order && result && received.verified) {
      order.state = result.ok ? 'installed' : result.retry ? 'released' : 'error';
      order.outcome = result.ok ? undefined : result.reason;
      try {
        if (order.transactionId) this.#sessions.end(this.#sessions.session(order.transactionId));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }
    this.#book.save();
    this.#report('notification', order?.eid, {
      seqNumber: received.seqNumber,
      event: received.event,
      ...(received.iccid && { iccid: received.iccid }),
      verified: received.verified,
      ...(result && { result: result.ok ? 'installed' : result.reason }),
    });
  }

  // ------------------------------------------------------------------------------------------------ inside

  #fail(order: DownloadOrder, outcome: string): void {
    order.state = 'error';
    order.outcome = outcome;
    this.#book.save();
  }

  #provoked(called: RspFunction, order?: DownloadOrder): void {
    provoke(order ? order.provoke : this.#provoke, called);
  }

  #told<T>(called: RspFunction, transactionId: Uint8Array | undefined, act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof Refusal)
        this.#report('refused', undefined, {
          function: called,
          status: error.status,
          why: error.message,
          ...(transactionId && { transactionId: hex(transactionId) }),
        });
      throw error;
    }
  }

  #report(what: SmdpHappening, eid: string | undefined, detail: Record<string, unknown>): void {
    this.#options.observe?.({ event: 'smdp', what, eid, detail });
  }
}
