import {
  hex,
  type Infer,
  iccidBytes,
  iccidDigits,
  type NotificationEventName,
  type PprIds,
  StoreMetadataRequest,
} from '../asn1/index.js';
import { hashConfirmationCode, makeProfilePackage, RspError, readProfilePackage } from '../rsp/index.js';
import { SmdpError } from './error.js';
import type { DownloadOrder } from './orders.js';
import { provocation } from './provocation.js';

/** An order from outside, plain JSON. */
export interface OrderOptions {
  /** 18 to 20 digits; the one of `profile` when that is given. */
  iccid?: string;
  /** Default: made up. Empty string: none, the order is for `eid` from its default SM-DP+. */
  matchingId?: string;
  /** 32 digits: for this eUICC only. */
  eid?: string;
  confirmationCode?: string;
  /** Default true; otherwise it waits for its release. */
  released?: boolean;
  /** Milliseconds since 1970. */
  expires?: number;
  /** Default 10. */
  maxAttempts?: number;
  /** Unprotected profile package (SAIP DER); default: one is made. */
  profile?: Uint8Array;
  /** Length of the profile that is made, bytes. */
  profileSize?: number;
  /** Digits, for the profile that is made. */
  imsi?: string;
  serviceProviderName?: string;
  profileName?: string;
  profileClass?: 'test' | 'provisioning' | 'operational';
  profilePolicyRules?: Infer<typeof PprIds>;
  fallbackAllowed?: boolean;
  ecallIndication?: boolean;
  /** Whom the eUICC is to tell of which events. Default: this SM-DP+ of all. */
  notifications?: readonly { events: readonly NotificationEventName[]; address: string }[];
  replaceSessionKeys?: boolean;
  oneBinding?: boolean;
  /** Status codes "8.2.6/3.8", or "8.10.1/3.9@getBoundProfilePackage" to name the function that tells it. */
  provoke?: readonly string[];
}

const allEvents = [
  'notificationInstall',
  'notificationEnable',
  'notificationDisable',
  'notificationDelete',
] as const;
const classes = { test: 0, provisioning: 1, operational: 2 } as const;
/** @throws SmdpError 'argument' */
export function makeOrder(
  options: OrderOptions,
  address: string,
  source: { bytes(length: number): Uint8Array },
): DownloadOrder {
  const wrong = (why: string, cause?: unknown) => new SmdpError('argument', why, { cause });
  const { eid, matchingId = hex(source.bytes(8)), imsi = '001010000000001' } = options;
  if (eid !== undefined && !/^\d{32}$/.test(eid)) throw wrong(`an EID has 32 digits, "${eid}" has not`);
  if (!/^[A-Za-z0-9-]*$/.test(matchingId)) throw wrong('a matchingId has letters, digits and hyphens only');
  if (matchingId === '' && eid === undefined) throw wrong('an order without matchingId needs an EID');
  let content: ReturnType<typeof readProfilePackage> | undefined;
  try {
    content = options.profile && readProfilePackage(options.profile);
    const iccid = options.iccid === undefined ? content?.iccid : iccidBytes(options.iccid);
    if (!iccid) throw wrong('an order needs an ICCID or a profile');
    const profile =
      options.profile ??
      makeProfilePackage({ iccid, imsi, ...(options.profileSize && { bytes: options.profileSize }) });
    const notifications = options.notifications ?? [{ events: allEvents, address }];
    const metadata = StoreMetadataRequest.write({
      iccid,
      serviceProviderName: options.serviceProviderName ?? 'xs-ipa',
      profileName: options.profileName ?? content?.profileType.slice(0, 60) ?? 'simulated profile',
      profileClass: classes[options.profileClass ?? 'operational'],
      notificationConfigurationInfo: notifications.flatMap(({ events, address: notificationAddress }) =>
        events.map((event) => ({ profileManagementOperation: [event], notificationAddress })),
      ),
      profileOwner: { mccMnc: plmnOf(content?.imsi ?? imsi) },
      ...(options.profilePolicyRules?.length && { profilePolicyRules: options.profilePolicyRules }),
      ...(options.ecallIndication && { ecallIndication: true }),
      ...(options.fallbackAllowed && { fallbackAllowed: true }),
    });
    return {
      iccid: iccidDigits(iccid),
      ...(matchingId !== '' && { matchingId }),
      ...(eid !== undefined && { eid }),
      state: options.released === false ? 'confirmed' : 'released',
      ...(options.confirmationCode !== undefined && {
        confirmationHash: hashConfirmationCode(options.confirmationCode),
      }),
      wrongConfirmationCodes: 0,
      attempts: 0,
      maxAttempts: options.maxAttempts ?? 10,
      ...(options.expires !== undefined && { expires: options.expires }),
      metadata,
      profile,
      replaceSessionKeys: options.replaceSessionKeys ?? false,
      oneBinding: options.oneBinding ?? false,
      provoke: (options.provoke ?? []).map((text) => provocation(text)),
      notifications: [],
    };
  } catch (cause) {
    if (cause instanceof SmdpError) throw cause;
    if (cause instanceof RspError || (cause as { name?: string }).name === 'Asn1Error')
      throw wrong((cause as Error).message, cause);
    throw cause;
  }
}

/** MCC and MNC of two digits, 3GPP TS 24.008 §10.5.1.3. */
function plmnOf(imsi: string): Uint8Array {
  const [a, b, c, d, e] = [...imsi].map(Number);
  return Uint8Array.of((b << 4) | a, 0xf0 | c, (e << 4) | d);
}
