import {
  concat,
  decode,
  EuiccConfiguredAddressesRequest,
  EuiccConfiguredAddressesResponse,
  EuiccInfo1,
  EuiccInfo2,
  encode,
  GetCertsRequest,
  GetCertsResponse,
  GetConnectivityParametersRequest,
  GetConnectivityParametersResponse,
  GetEuiccDataRequest,
  GetEuiccDataResponse,
  GetEuiccInfo1Request,
  GetEuiccInfo2Request,
  GetRatRequest,
  GetRatResponse,
  type Infer,
  IsdrFci,
  unhex,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { CardKind, Command } from './context.js';
import { freeMemory } from './install.js';
import { type EuiccState, enabledProfile } from './state.js';

/** A0000005591010FFFFFFFF8900000100 (es10.md §1.2) */
export const isdrAid = [0xa0, 0, 0, 5, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0, 0, 1, 0] as const;

const svn = Uint8Array.of(2, 5, 0);

/** Answer to SELECT of the ISD-R (SGP.32 §3.8.4, SGP.22 §5.7.1): its templates tell the kinds of eUICC apart. */
export function isdrFci(state: EuiccState, kind: CardKind): Uint8Array {
  return encode(IsdrFci, {
    dfName: Uint8Array.from(isdrAid),
    proprietaryData: { maxCommandLength: Uint8Array.of(0xff) },
    isdrProprietaryApplicationTemplate: kind === 'consumer' ? { svn } : undefined,
    isdrProprietaryApplicationTemplateIoT:
      kind === 'iot' ? { capabilities: enabledProfile(state) ? ['enabledProfile'] : [] } : undefined,
  });
}

export function getEid({ card }: Command, bytes: Uint8Array): Uint8Array | number {
  const { tagList } = decode(GetEuiccDataRequest, bytes);
  if (!tagList.includes(0x5a)) return 0x6a80;
  return encode(GetEuiccDataResponse, { eidValue: card.credentials.eid });
}

export function getEuiccInfo1({ card }: Command, bytes: Uint8Array): Uint8Array {
  decode(GetEuiccInfo1Request, bytes);
  return encode(EuiccInfo1, {
    svn,
    euiccCiPKIdListForVerification: [...card.ciKeyIds],
    euiccCiPKIdListForSigning: [card.credentials.ciKeyId],
  });
}

export function getEuiccInfo2(command: Command, bytes: Uint8Array): Uint8Array {
  decode(GetEuiccInfo2Request, bytes);
  return encode(EuiccInfo2, euiccInfo2(command));
}

/** What the eUICC also signs when it authenticates itself. */
export function euiccInfo2({ card, state }: Pick<Command, 'card' | 'state'>): EuiccInfo2 {
  const iot: NonNullable<Infer<typeof EuiccInfo2>['iotSpecificInfo']> = {
    iotVersion: [Uint8Array.of(1, 2, 0)],
  };
  if (card.ecallSupported) iot.ecallSupported = true;
  if (card.fallbackSupported) iot.fallbackSupported = true;
  return {
    profileVersion: Uint8Array.of(2, 3, 1),
    svn,
    euiccFirmwareVer: Uint8Array.of(1, 0, 0),
    extCardResource: extCardResource(freeMemory({ card, state })),
    uiccCapability: [
      'usimSupport',
      'isimSupport',
      'akaMilenage',
      'akaTuak128',
      'akaTuak256',
      'gbaAuthenUsim',
      'eapClient',
      'javacard',
      'berTlvFileSupport',
      'getIdentity',
    ],
    ts102241Version: Uint8Array.of(15, 2, 0),
    globalplatformVersion: Uint8Array.of(2, 3, 0),
    rspCapability: ['additionalProfile', 'testProfileSupport'],
    euiccCiPKIdListForVerification: [...card.ciKeyIds],
    euiccCiPKIdListForSigning: [card.credentials.ciKeyId],
    euiccCategory: 2,
    forbiddenProfilePolicyRules: [...card.forbiddenPolicyRules],
    ppVersion: Uint8Array.of(1, 0, 0),
    sasAccreditationNumber: 'XS-IPA-TEST-0001',
    ipaMode: card.kind === 'iot' ? 0 : undefined,
    iotSpecificInfo: card.kind === 'iot' ? iot : undefined,
  };
}

/** Applications, free non-volatile and free volatile memory (ETSI TS 102 226 §8.2.1.7.2). */
function extCardResource(free: number): Uint8Array {
  const number = (tag: number, value: number) => {
    const bytes = Uint8Array.of(tag, 4, 0, 0, 0, 0);
    new DataView(bytes.buffer).setUint32(2, value);
    return bytes;
  };
  return concat([unhex('810100'), number(0x82, free), number(0x83, 8_192)]);
}

export function getConfiguredAddresses({ state }: Command, bytes: Uint8Array): Uint8Array {
  decode(EuiccConfiguredAddressesRequest, bytes);
  return encode(EuiccConfiguredAddressesResponse, {
    defaultDpAddress: state.defaultDpAddress || undefined,
    rootDsAddress: state.rootDsAddress,
  });
}

export function getRat({ card }: Command, bytes: Uint8Array): Uint8Array {
  decode(GetRatRequest, bytes);
  return encode(GetRatResponse, { rat: [...card.rat] });
}

export function getCerts({ card }: Command, bytes: Uint8Array): Uint8Array {
  const { euiccCiPKId } = decode(GetCertsRequest, bytes);
  const { certificate, eumCertificate, ciKeyId } = card.credentials;
  if (euiccCiPKId && !sameBytes(euiccCiPKId, ciKeyId)) return encode(GetCertsResponse, { getCertsError: 1 });
  return encode(GetCertsResponse, { certs: { eumCertificate, euiccCertificate: certificate } });
}

/** Of the enabled profile (SGP.32 §5.9.24). */
export function getConnectivityParameters({ state }: Command, bytes: Uint8Array): Uint8Array {
  decode(GetConnectivityParametersRequest, bytes);
  const httpParams = enabledProfile(state)?.connectivityParameters;
  return encode(
    GetConnectivityParametersResponse,
    httpParams ? { connectivityParameters: { httpParams } } : { connectivityParametersError: 1 },
  );
}
