import {
  decode,
  EuiccPackageErrorDataSigned,
  EuiccPackageRequest,
  EuiccPackageResult,
  EuiccPackageResultDataSigned,
  type EuiccResultData,
  GetEimPackageRequest,
  GetEimPackageResponse,
  HandleNotification,
  type IpaEuiccData,
  type IpaEuiccDataRequest,
  IpaEuiccDataResponse,
  NotificationMetadata,
  type PendingNotification,
  ProvideEimPackageResult,
  ProvideEimPackageResultResponse,
  TransferEimPackageResponse,
  tokenDo,
  toSign,
} from '../../../host-sim/asn1/index.js';
import { type Pki, pointOfSpki, sign, spkiOf, verify } from '../../../host-sim/pki/index.js';

type Package = ReturnType<typeof EuiccPackageRequest.read>;

/** Signs like an eUICC and speaks like an IPA, and does nothing else. */
export class FakeDevice {
  readonly pki: Pki;
  readonly eid: string;
  token: number | undefined;
  counterValue = 0;
  seqNumber = 0;
  /** What the eUICC keeps until it is acknowledged. */
  readonly stored: EuiccPackageResult[] = [];

  constructor(pki: Pki, token?: number) {
    this.pki = pki;
    this.token = token;
    this.eid = Buffer.from(pki.euicc.eid).toString('hex');
  }

  poll(more: Partial<GetEimPackageRequest> = {}): Uint8Array {
    return GetEimPackageRequest.write({ eidValue: this.pki.euicc.eid, ...more });
  }

  /** Whether the eUICC would accept the signature. */
  accepts(request: Uint8Array): boolean {
    const { euiccPackageSigned, eimSignature } = decode(EuiccPackageRequest, request);
    const key = pointOfSpki(spkiOf(this.pki.eims[0].certificate));
    return verify(key, eimSignature, euiccPackageSigned.bytes, tokenDo(this.token));
  }

  /** resultSigned with these results, and remembers it. */
  execute(
    request: Package,
    euiccResult: EuiccResultData[],
    key = this.pki.euicc.privateKey,
  ): EuiccPackageResult {
    const { eimId, counterValue, eimTransactionId } = request.euiccPackageSigned.value;
    this.counterValue = counterValue;
    const data = toSign(EuiccPackageResultDataSigned, {
      eimId,
      counterValue,
      eimTransactionId,
      seqNumber: ++this.seqNumber,
      euiccResult,
    });
    const euiccSignEPR = sign(key, data.bytes, tokenDo(this.token));
    const result = { euiccPackageResultSigned: { euiccPackageResultDataSigned: data, euiccSignEPR } };
    this.stored.push(result);
    return result;
  }

  error(request: Package, euiccPackageErrorCode: number): EuiccPackageResult {
    const { eimId, counterValue, eimTransactionId } = request.euiccPackageSigned.value;
    const data = toSign(EuiccPackageErrorDataSigned, {
      eimId,
      counterValue,
      eimTransactionId,
      euiccPackageErrorCode,
    });
    const euiccSignEPE = sign(this.pki.euicc.privateKey, data.bytes, tokenDo(this.token));
    return { euiccPackageErrorSigned: { euiccPackageErrorDataSigned: data, euiccSignEPE } };
  }

  data(request: IpaEuiccDataRequest, more: Partial<IpaEuiccData> = {}): IpaEuiccDataResponse {
    const { certificate: euiccCertificate, eumCertificate } = this.pki.euicc;
    const { eimTransactionId } = request;
    return {
      ipaEuiccData: {
        euiccCertificate,
        eumCertificate,
        associationToken: this.token,
        eimTransactionId,
        ...more,
      },
    };
  }

  notification(key = this.pki.euicc.privateKey): PendingNotification {
    const metadata = toSign(NotificationMetadata, {
      seqNumber: ++this.seqNumber,
      profileManagementOperation: ['notificationEnable'],
      notificationAddress: 'smdp.example.com',
    });
    const { certificate: euiccCertificate, eumCertificate } = this.pki.euicc;
    const euiccNotificationSignature = sign(key, metadata.bytes);
    return {
      otherSignedNotification: {
        tbsOtherNotification: metadata,
        euiccNotificationSignature,
        euiccCertificate,
        eumCertificate,
      },
    };
  }

  deliver(eimPackageResult: ProvideEimPackageResult['eimPackageResult'], withEid = true): Uint8Array {
    return ProvideEimPackageResult.write({
      ...(withEid && { eidValue: this.pki.euicc.eid }),
      eimPackageResult,
    });
  }

  answer(response: TransferEimPackageResponse): Uint8Array {
    return TransferEimPackageResponse.write(response);
  }

  handleNotification(pendingNotification: PendingNotification): Uint8Array {
    return HandleNotification.write({ pendingNotification });
  }
}

export const readPoll = (bytes: Uint8Array | undefined) => decode(GetEimPackageResponse, bytes!);
export const readResponse = (bytes: Uint8Array | undefined) =>
  decode(ProvideEimPackageResultResponse, bytes!);
export const reencode = (result: EuiccPackageResult): Uint8Array => EuiccPackageResult.write(result);
export const dataError = (code: number, eimTransactionId?: Uint8Array): IpaEuiccDataResponse =>
  decode(
    IpaEuiccDataResponse,
    IpaEuiccDataResponse.write({
      ipaEuiccDataResponseError: { ipaEuiccDataErrorCode: code, eimTransactionId },
    }),
  );
