import {
  Asn1Error,
  EimAcknowledgements,
  type ProvideEimPackageResult,
  TransferEimPackageRequest,
  writeElement,
} from '../asn1/index.js';

/** BF4E around a package. */
export function transfer(request: Uint8Array): Uint8Array {
  return writeElement(TransferEimPackageRequest.tag, request);
}

export function acknowledgement(seqNumbers: number[]): Uint8Array {
  return transfer(EimAcknowledgements.write(seqNumbers));
}

export function transactionOf({ eimPackageResult: result }: ProvideEimPackageResult): Uint8Array | undefined {
  const epr = result.euiccPackageResult ?? result.ePRAndNotifications?.euiccPackageResult;
  return (
    epr?.euiccPackageResultSigned?.euiccPackageResultDataSigned.value.eimTransactionId ??
    epr?.euiccPackageErrorSigned?.euiccPackageErrorDataSigned.value.eimTransactionId ??
    epr?.euiccPackageErrorUnsigned?.eimTransactionId ??
    result.ipaEuiccDataResponse?.ipaEuiccData?.eimTransactionId ??
    result.ipaEuiccDataResponse?.ipaEuiccDataResponseError?.eimTransactionId ??
    result.eimPackageResultResponseError?.eimTransactionId
  );
}

/** Undefined for bytes that are not what they should be. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Asn1Error) return undefined;
    throw error;
  }
}
