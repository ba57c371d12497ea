import {
  AssociationToken,
  Certificate,
  EimConfigurationData,
  EimId,
  KeyIdentifier,
} from './messages-common.js';
import { AddEimCodes, EuiccPackageResult, ImmediateEnableConfiguration } from './messages-package.js';
import { refresh, request, result } from './messages-shapes.js';
import { choice, type Infer, listOf, message, seq } from './schema.js';
import { bits, code, nul, octets } from './types.js';

// ES10b functions that SGP.32 adds (§5.9), except LoadEuiccPackage (messages-package.ts).

export const GetEimConfigurationDataRequest = message(
  'GetEimConfigurationDataRequest',
  0xbf55,
  'SGP.32 §5.9.18',
  seq('GetEimConfigurationDataRequest', {
    searchCriteria: {
      tag: 0xa0,
      type: choice('searchCriteria', { eimId: { tag: 0x80, type: EimId } }),
      optional: true,
    },
  }),
);
export const GetEimConfigurationDataResponse = message(
  'GetEimConfigurationDataResponse',
  0xbf55,
  'SGP.32 §5.9.18',
  seq('GetEimConfigurationDataResponse', {
    eimConfigurationDataList: { tag: 0xa0, type: listOf(EimConfigurationData) },
  }),
);

export const GetCertsRequest = message(
  'GetCertsRequest',
  0xbf56,
  'SGP.32 §5.9.10',
  seq('GetCertsRequest', { euiccCiPKId: { tag: 0x80, also: [0x04], type: KeyIdentifier, optional: true } }),
);
export const GetCertsResponse = message(
  'GetCertsResponse',
  0xbf56,
  'SGP.32 §5.9.10',
  choice('GetCertsResponse', {
    certs: {
      tag: 0xa0,
      type: seq('certs', {
        eumCertificate: { tag: 0xa5, type: Certificate },
        euiccCertificate: { tag: 0xa6, type: Certificate },
      }),
    },
    getCertsError: { tag: 0x81, type: code('getCertsError', { 1: 'invalidCiPKId', 127: 'undefinedError' }) },
  }),
);

export const AddInitialEimRequest = message(
  'AddInitialEimRequest',
  0xbf57,
  'SGP.32 §5.9.4',
  seq('AddInitialEimRequest', {
    eimConfigurationDataList: { tag: 0xa0, type: listOf(EimConfigurationData) },
  }),
);
export const AddInitialEimResponse = message(
  'AddInitialEimResponse',
  0xbf57,
  'SGP.32 §5.9.4',
  choice('AddInitialEimResponse', {
    addInitialEimOk: {
      tag: 0xa0,
      type: listOf(
        choice('addInitialEimOk', {
          associationToken: { tag: 0x84, type: AssociationToken },
          addOk: { type: nul },
        }),
      ),
    },
    addInitialEimError: { tag: 0x81, type: code('addInitialEimError', AddEimCodes) },
  }),
);

const switchResult = (name: string, tag: number, section: string, names: Readonly<Record<number, string>>) =>
  result(name, tag, section, { 0: 'ok', 5: 'catBusy', 127: 'undefinedError', ...names });

export const ProfileRollbackRequest = refresh('ProfileRollbackRequest', 0xbf58, 'SGP.32 §5.9.16');
export const ProfileRollbackResponse = message(
  'ProfileRollbackResponse',
  0xbf58,
  'SGP.32 §5.9.16',
  seq('ProfileRollbackResponse', {
    cmdResult: {
      type: code('cmdResult', {
        0: 'ok',
        1: 'rollbackNotAllowed',
        5: 'catBusy',
        7: 'commandError',
        127: 'undefinedError',
      }),
    },
    eUICCPackageResult: { type: EuiccPackageResult, optional: true },
  }),
);

export const ConfigureImmediateProfileEnablingRequest = message(
  'ConfigureImmediateProfileEnablingRequest',
  0xbf59,
  'SGP.32 §5.9.17',
  ImmediateEnableConfiguration,
);
export const ConfigureImmediateProfileEnablingResponse = result(
  'ConfigureImmediateProfileEnablingResponse',
  0xbf59,
  'SGP.32 §5.9.17',
  { 0: 'ok', 1: 'insufficientMemory', 2: 'associatedEimAlreadyExists', 127: 'undefinedError' },
);

export const ImmediateEnableRequest = refresh('ImmediateEnableRequest', 0xbf5a, 'SGP.32 §5.9.15');
export const ImmediateEnableResponse = switchResult('ImmediateEnableResponse', 0xbf5a, 'SGP.32 §5.9.15', {
  1: 'immediateEnableNotAvailable',
  4: 'noSessionContext',
});
export const EnableEmergencyProfileRequest = refresh(
  'EnableEmergencyProfileRequest',
  0xbf5b,
  'SGP.32 §5.9.22',
);
export const EnableEmergencyProfileResponse = switchResult(
  'EnableEmergencyProfileResponse',
  0xbf5b,
  'SGP.32 §5.9.22',
  { 2: 'profileNotInDisabledState', 8: 'ecallNotAvailable' },
);
export const DisableEmergencyProfileRequest = refresh(
  'DisableEmergencyProfileRequest',
  0xbf5c,
  'SGP.32 §5.9.23',
);
/** Code 8 since v1.3 (Q50). */
export const DisableEmergencyProfileResponse = switchResult(
  'DisableEmergencyProfileResponse',
  0xbf5c,
  'SGP.32 §5.9.23',
  { 2: 'profileNotInEnabledState', 8: 'ecallNotAvailable' },
);
export const ExecuteFallbackMechanismRequest = refresh(
  'ExecuteFallbackMechanismRequest',
  0xbf5d,
  'SGP.32 §5.9.20',
);
export const ExecuteFallbackMechanismResponse = switchResult(
  'ExecuteFallbackMechanismResponse',
  0xbf5d,
  'SGP.32 §5.9.20',
  { 2: 'profileNotInDisabledState', 6: 'fallbackNotAvailable', 7: 'commandError', 104: 'ecallActive' },
);
export const ReturnFromFallbackRequest = refresh('ReturnFromFallbackRequest', 0xbf5e, 'SGP.32 §5.9.21');
export const ReturnFromFallbackResponse = switchResult(
  'ReturnFromFallbackResponse',
  0xbf5e,
  'SGP.32 §5.9.21',
  {
    6: 'fallbackNotAvailable',
    7: 'commandError',
  },
);

export const GetConnectivityParametersRequest = request(
  'GetConnectivityParametersRequest',
  0xbf5f,
  'SGP.32 §5.9.24',
);
/** httpParams serve CoAP too; their content is a row of comprehension TLVs of TS 102 223 (Q62). */
export const GetConnectivityParametersResponse = message(
  'GetConnectivityParametersResponse',
  0xbf5f,
  'SGP.32 §5.9.24',
  choice('GetConnectivityParametersResponse', {
    connectivityParameters: {
      tag: 0xa0,
      type: seq('connectivityParameters', {
        httpParams: { tag: 0x81, type: octets('httpParams'), optional: true },
      }),
    },
    connectivityParametersError: {
      tag: 0x81,
      type: code('connectivityParametersError', { 1: 'parametersNotAvailable', 127: 'undefinedError' }),
    },
  }),
);

export const EuiccMemoryResetRequest = message(
  'EuiccMemoryResetRequest',
  0xbf64,
  'SGP.32 §5.9.5',
  seq('EuiccMemoryResetRequest', {
    resetOptions: {
      tag: 0x82,
      type: bits('resetOptions', [
        'deleteOperationalProfiles',
        'deleteFieldLoadedTestProfiles',
        'resetDefaultSmdpAddress',
        'deletePreLoadedTestProfiles',
        'deleteProvisioningProfiles',
        'resetEimConfigurationData',
        'resetImmediateEnableConfig',
      ]),
    },
  }),
);
export const EuiccMemoryResetResponse = message(
  'EuiccMemoryResetResponse',
  0xbf64,
  'SGP.32 §5.9.5',
  seq('EuiccMemoryResetResponse', {
    resetResult: {
      tag: 0x80,
      type: code('resetResult', {
        0: 'ok',
        1: 'nothingToDelete',
        5: 'catBusy',
        104: 'ecallActive',
        127: 'undefinedError',
      }),
    },
    resetEimResult: {
      tag: 0x81,
      type: code('resetEimResult', {
        0: 'ok',
        1: 'nothingToDelete',
        2: 'eimResetNotSupported',
        127: 'undefinedError',
      }),
      optional: true,
    },
    resetImmediateEnableConfigResult: {
      tag: 0x82,
      type: code('resetImmediateEnableConfigResult', {
        0: 'ok',
        1: 'resetIECNotSupported',
        127: 'undefinedError',
      }),
      optional: true,
    },
  }),
);
export type AddInitialEimResponse = Infer<typeof AddInitialEimResponse>;
