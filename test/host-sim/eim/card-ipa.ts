import {
  AddInitialEimRequest,
  AddInitialEimResponse,
  concat,
  decode,
  EimConfigurationData,
  EuiccInfo2,
  EuiccPackageResult,
  GetCertsRequest,
  GetCertsResponse,
  GetEimConfigurationDataRequest,
  GetEimConfigurationDataResponse,
  GetEimPackageRequest,
  GetEimPackageResponse,
  GetEuiccInfo2Request,
  type Infer,
  type IpaEuiccData,
  type IpaEuiccDataRequest,
  type IpaFeatureNames,
  NotificationSentRequest,
  type ProfileDownloadTriggerRequest,
  ProvideEimPackageResult,
  ProvideEimPackageResultResponse,
  RetrieveNotificationsListRequest,
  RetrieveNotificationsListResponse,
  type Schema,
  unhex,
} from '../../../host-sim/asn1/index.js';
import type { Card } from '../../../host-sim/card.js';
import { deviceInfo } from '../euicc/example-smdp.js';

type Answer = (message: Uint8Array) => Uint8Array | undefined;

/** The least an IPA can be: a card on one side, one message at a time on the other. */
export class CardIpa {
  readonly #card: Card;
  readonly #eid: Uint8Array;
  readonly #ask: Answer;
  #channel = 0;
  /** What it says of itself when it is asked. */
  features: (typeof IpaFeatureNames)[number][] = [];
  /** A download that was triggered; nothing happens without it. */
  onTrigger: (trigger: Infer<typeof ProfileDownloadTriggerRequest>) => void = () => {};

  constructor(card: Card, eid: Uint8Array, ask: Answer) {
    this.#card = card;
    this.#eid = eid;
    this.#ask = ask;
    this.reset();
  }

  reset(): void {
    this.#card.reset();
    this.#transmit(unhex('80AA000005A903840101'));
    [this.#channel] = this.#transmit(unhex('0070000001'));
    this.#transmit(concat([Uint8Array.of(this.#channel), unhex('A4040010A0000005591010FFFFFFFF8900000100')]));
  }

  #transmit(command: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    let answer = this.#card.transmit(command);
    for (;;) {
      parts.push(answer.subarray(0, -2));
      const [sw1, sw2] = answer.subarray(-2);
      if (sw1 === 0x90 || sw1 === 0x91) return concat(parts);
      if (sw1 !== 0x61) throw new Error(`the card answered ${sw1.toString(16)}${sw2.toString(16)}`);
      answer = this.#card.transmit(Uint8Array.of(this.#channel, 0xc0, 0, 0, sw2));
    }
  }

  es10(command: Uint8Array): Uint8Array {
    for (let block = 0; ; block++) {
      const part = command.subarray(block * 255, block * 255 + 255);
      const last = (block + 1) * 255 >= command.length;
      const header = Uint8Array.of(0x80 | this.#channel, 0xe2, last ? 0x91 : 0x11, block, part.length);
      const answer = this.#transmit(concat([header, part]));
      if (last) return answer;
    }
  }

  #call<Q, A>(request: Schema<Q>, value: Q, answer: Schema<A>): A {
    return decode(answer, this.es10(request.write(value)));
  }

  associate(configuration: Uint8Array): AddInitialEimResponse {
    const eimConfigurationDataList = [decode(EimConfigurationData, configuration)];
    return this.#call(AddInitialEimRequest, { eimConfigurationDataList }, AddInitialEimResponse);
  }

  /** Polls once and carries out what comes; false when there was nothing. `lose`: the result never arrives. */
  poll(lose = false): boolean {
    const answer = this.#ask(GetEimPackageRequest.write({ eidValue: this.#eid }));
    const response = decode(GetEimPackageResponse, answer!);
    const { euiccPackageRequest, ipaEuiccDataRequest, profileDownloadTriggerRequest } = response;
    if (profileDownloadTriggerRequest) {
      this.onTrigger(profileDownloadTriggerRequest);
      return true;
    }
    if (ipaEuiccDataRequest) {
      this.deliver({ ipaEuiccDataResponse: { ipaEuiccData: this.#collect(ipaEuiccDataRequest) } });
      return true;
    }
    if (!euiccPackageRequest) return false;
    const result = this.load(answer!.subarray(answer!.indexOf(0xbf, 1)));
    if (!lose) this.report(result);
    return true;
  }

  /** LoadEuiccPackage, and the reset that a switch of profiles needs. */
  load(request: Uint8Array): EuiccPackageResult {
    const result = decode(EuiccPackageResult, this.es10(request));
    this.reset();
    return result;
  }

  report(euiccPackageResult: EuiccPackageResult): void {
    const { notificationList = [] } = this.#call(
      RetrieveNotificationsListRequest,
      {},
      RetrieveNotificationsListResponse,
    );
    if (notificationList.length === 0) this.deliver({ euiccPackageResult });
    else this.deliver({ ePRAndNotifications: { euiccPackageResult, notificationList } });
  }

  deliver(eimPackageResult: ProvideEimPackageResult['eimPackageResult']): void {
    const answer = this.#ask(ProvideEimPackageResult.write({ eidValue: this.#eid, eimPackageResult }));
    const { eimAcknowledgements = [] } = decode(ProvideEimPackageResultResponse, answer!);
    for (const seqNumber of eimAcknowledgements) this.es10(NotificationSentRequest.write({ seqNumber }));
  }

  #collect({ tagList, eimTransactionId }: IpaEuiccDataRequest): IpaEuiccData {
    const data: IpaEuiccData = { eimTransactionId };
    const configuration = this.#call(GetEimConfigurationDataRequest, {}, GetEimConfigurationDataResponse);
    const { certs } = this.#call(GetCertsRequest, {}, GetCertsResponse);
    for (const tag of tagList) {
      if (tag === 0xbf22) data.euiccInfo2 = this.#call(GetEuiccInfo2Request, {}, EuiccInfo2);
      if (tag === 0x84) data.associationToken = configuration.eimConfigurationDataList[0].associationToken;
      if (tag === 0xa5) data.eumCertificate = certs!.eumCertificate;
      if (tag === 0xa6) data.euiccCertificate = certs!.euiccCertificate;
      if (tag === 0xa8) data.ipaCapabilities = { ipaFeatures: this.features };
      if (tag === 0xa9) data.deviceInfo = deviceInfo;
      if (tag === 0xa2) {
        const searchCriteria = { euiccPackageResults: true } as const;
        data.euiccPackageResultList = this.#call(
          RetrieveNotificationsListRequest,
          { searchCriteria },
          RetrieveNotificationsListResponse,
        ).euiccPackageResultList;
      }
    }
    return data;
  }
}
