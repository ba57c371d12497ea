import { type ByteSink, type Uicc, UiccError } from '../../hal/contracts/index.js';
import { Es10Error, IpaError } from '../../ipa/error.js';
import {
  Es10,
  Es10Tag,
  getEid,
  getEuiccConfiguredAddresses,
  getEuiccInfo2,
  getProfilesInfo,
  ISD_R,
} from '../../ipa/es10/index.js';
import {
  decode,
  EuiccConfiguredAddressesResponse,
  EuiccInfo2,
  GetEimConfigurationDataResponse,
  hex,
  ListNotificationResponse,
  ProfileInfoListResponse,
  RetrieveNotificationsListResponse,
} from '../asn1/index.js';
import type { Card } from '../card.js';

/** What `card show` tells. JSON-able. */
export interface CardView {
  eid: string;
  modem?: { manufacturer: string; model: string; revision: string; access: string; quirks: string };
  /** EUICCInfo2, in short. */
  info: {
    /** Absent: a consumer eUICC. */
    iotVersion?: string;
    svn: string;
    firmware: string;
    ciKeys: string[];
    fallback: boolean;
    ecall: boolean;
  };
  defaultDpAddress: string;
  rootDsAddress: string;
  /** ProfileInfo, decoded. */
  profiles: Record<string, unknown>[];
  /** Absent where the eUICC knows no eIMs. */
  eims?: { eimId: string; eimFqdn?: string; associationToken?: number }[];
  notifications: { seqNumber: number; address: string; event: string; iccid?: string }[];
  /** eUICC Package Results; absent where the eUICC has none of the kind. */
  results?: number;
}

/** Iccid, state, nickname, provider, name, class, emergency, fallback, fallback allowed. */
const profileTags = [0x5a, 0x9f, 0x70, 0x90, 0x91, 0x92, 0x95, 0x9f, 0x7b, 0x9f, 0x26, 0x9f, 0x67] as const;

/** Reads an eUICC by ES10 functions that change nothing. @throws XsIpaError */
export async function readCard(uicc: Uicc): Promise<CardView> {
  await uicc.open(ISD_R);
  try {
    const es10 = new Es10(uicc);
    const eid = hex(await getEid(es10));
    const info = decode(EuiccInfo2, (await getEuiccInfo2(es10)).element);
    const addresses = decode(
      EuiccConfiguredAddressesResponse,
      (await getEuiccConfiguredAddresses(es10)).element,
    );
    return {
      eid,
      info: shortInfo(info),
      defaultDpAddress: addresses.defaultDpAddress ?? '',
      rootDsAddress: addresses.rootDsAddress,
      profiles: await profiles(es10),
      eims: await ifKnown(() => eims(es10)),
      notifications: await notifications(es10),
      results: await ifKnown(() => packageResults(es10)),
    };
  } finally {
    await uicc.close();
  }
}

function shortInfo(info: EuiccInfo2): CardView['info'] {
  const dotted = (version: Uint8Array) => [...version].join('.');
  const iot = info.iotSpecificInfo;
  return {
    iotVersion: iot?.iotVersion.map(dotted).join(', '),
    svn: dotted(info.svn),
    firmware: dotted(info.euiccFirmwareVer),
    ciKeys: info.euiccCiPKIdListForSigning.map((key) => hex(key)),
    fallback: iot?.fallbackSupported !== undefined,
    ecall: iot?.ecallSupported !== undefined,
  };
}

async function profiles(es10: Es10): Promise<Record<string, unknown>[]> {
  const read = (answer: { readonly element: Uint8Array }) => {
    const shown = ProfileInfoListResponse.show(decode(ProfileInfoListResponse, answer.element));
    return (shown as { profileInfoListOk?: Record<string, unknown>[] }).profileInfoListOk;
  };
  // A consumer eUICC may refuse tags that only SGP.32 has.
  const list = read(await getProfilesInfo(es10, profileTags)) ?? read(await getProfilesInfo(es10));
  if (!list) throw new IpaError('unexpectedAnswer', 'the eUICC does not list its profiles now; try again');
  return list;
}

async function eims(es10: Es10): Promise<CardView['eims']> {
  es10.request.clear().primitive(Es10Tag.getEimConfigurationData);
  const { eimConfigurationDataList } = decode(GetEimConfigurationDataResponse, (await es10.call()).element);
  return eimConfigurationDataList.map(({ eimId, eimFqdn, associationToken }) => ({
    eimId,
    eimFqdn,
    associationToken,
  }));
}

async function notifications(es10: Es10): Promise<CardView['notifications']> {
  es10.request.clear().primitive(Es10Tag.listNotification);
  const answer = decode(ListNotificationResponse, (await es10.call()).element);
  const shown = ListNotificationResponse.show(answer) as { notificationMetadataList?: Metadata[] };
  return (shown.notificationMetadataList ?? []).map((one) => ({
    seqNumber: one.seqNumber,
    event: [one.profileManagementOperation].flat().join(', '),
    address: one.notificationAddress,
    iccid: one.iccid,
  }));
}

interface Metadata {
  seqNumber: number;
  profileManagementOperation: string | string[];
  notificationAddress: string;
  iccid?: string;
}

async function packageResults(es10: Es10): Promise<number> {
  es10.request.clear().begin(Es10Tag.retrieveNotificationsList).begin(0xa0).primitive(0x82).end().end();
  const answer = decode(RetrieveNotificationsListResponse, (await es10.call()).element);
  return answer.euiccPackageResultList?.length ?? 0;
}

/** Undefined where the eUICC does not know the function. */
async function ifKnown<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Es10Error) return undefined;
    throw error;
  }
}

/** A simulated card without a modem: the basic channel, no time passes. */
export class DirectUicc implements Uicc {
  readonly #card: Card;

  constructor(card: Card) {
    this.#card = card;
  }

  async open(aid: ArrayLike<number>): Promise<Uint8Array> {
    const answer: number[] = [];
    const sw = await this.transmit(
      Uint8Array.from([0x00, 0xa4, 0x04, 0x00, aid.length, ...Array.from(aid)]),
      {
        write: (bytes) => void answer.push(...bytes),
      },
    );
    if (sw !== 0x9000) throw new UiccError('noApplication', `SELECT ended with ${sw.toString(16)}`);
    return Uint8Array.from(answer);
  }

  async transmit(command: Uint8Array, sink: ByteSink): Promise<number> {
    let answer = this.#card.transmit(command);
    for (;;) {
      const length = answer.length - 2;
      sink.write(answer.subarray(0, length));
      if (answer[length] !== 0x61) return (answer[length] << 8) | answer[length + 1];
      answer = this.#card.transmit(Uint8Array.of(command[0] & 0x80, 0xc0, 0, 0, answer[length + 1]));
    }
  }

  async close(): Promise<void> {}
}
