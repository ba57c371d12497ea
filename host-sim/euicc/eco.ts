import {
  AddInitialEimRequest,
  type AddInitialEimResponse,
  AddInitialEimResponse as AddInitialEimResponseSchema,
  Asn1Error,
  decode,
  type Eco,
  type EimConfigurationData,
  type EuiccResultData,
  encode,
  GetEimConfigurationDataRequest,
  GetEimConfigurationDataResponse,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { type Command, report } from './context.js';
import { eimPublicKey } from './crypto.js';
import type { Eim } from './state.js';

/** Carries out one eCO (SGP.32 §2.11.1.1.2, checks of procedures.md §2.4). */
export function executeEco(command: Command, eco: Eco): EuiccResultData {
  if (eco.addEim) {
    const added = addEim(command, eco.addEim);
    if (typeof added === 'number') return { addEimResult: { addEimResultCode: added } };
    return {
      addEimResult:
        added.associationToken === undefined
          ? { addEimResultCode: 0 }
          : { associationToken: added.associationToken },
    };
  }
  if (eco.deleteEim) return { deleteEimResult: deleteEim(command, eco.deleteEim.eimId) };
  if (eco.updateEim) return { updateEimResult: updateEim(command, eco.updateEim) };
  if (eco.listEim) {
    return {
      listEimResult: {
        eimIdList: command.state.eims.map(({ configuration: { eimId, eimIdType } }) => ({
          eimId,
          // Only OID and FQDN are told apart; absent means proprietary.
          eimIdType: eimIdType === 1 || eimIdType === 2 ? eimIdType : undefined,
        })),
      },
    };
  }
  return { processingTerminated: 2 };
}

/** The new eIM, or the code why not (AddEimResultCode). */
function addEim(command: Command, given: EimConfigurationData): Eim | number {
  const { state, card } = command;
  if (state.eims.some((eim) => eim.configuration.eimId === given.eimId)) return 2;
  if (state.eims.length >= card.maxEims) return 1;
  const { counterValue, associationToken, ...configuration } = given;
  if (!knownCi(command, configuration)) return 3;
  if (associationToken !== undefined && associationToken !== -1) return 5;
  if (counterValue === undefined || !usableKey(configuration)) return 7;
  if (counterValue < 0 || counterValue > card.maxCounterValue) return 6;
  const eim: Eim = { configuration, counterValue };
  if (associationToken === -1) eim.associationToken = state.nextAssociationToken++;
  state.eims.push(eim);
  command.changed = true;
  report(command, 'eimAssociated', {
    eimId: given.eimId,
    counterValue,
    associationToken: eim.associationToken,
  });
  return eim;
}

function knownCi({ card }: Command, { euiccCiPKId }: EimConfigurationData): boolean {
  return euiccCiPKId === undefined || sameBytes(euiccCiPKId, card.credentials.ciKeyId);
}

function usableKey({ eimPublicKeyData }: EimConfigurationData): boolean {
  if (!eimPublicKeyData) return false;
  try {
    eimPublicKey(eimPublicKeyData);
    return true;
  } catch (error) {
    if (error instanceof Asn1Error) return false;
    throw error;
  }
}

function deleteEim({ state }: Command, eimId: string): number {
  const index = state.eims.findIndex((eim) => eim.configuration.eimId === eimId);
  if (index < 0) return 1;
  state.eims.splice(index, 1);
  return state.eims.length === 0 ? 2 : 0;
}

/** Fields that are not given stay as they are. */
function updateEim(command: Command, given: EimConfigurationData): number {
  const { state, card } = command;
  const eim = state.eims.find((one) => one.configuration.eimId === given.eimId);
  if (!eim) return 1;
  const { counterValue, associationToken, ...update } = given;
  if (!knownCi(command, update)) return 3;
  if (associationToken !== undefined) return 7;
  if (update.eimPublicKeyData && !usableKey(update)) return 7;
  if (counterValue !== undefined) {
    // Lowering it under the same key would let old packages in again.
    if (counterValue < eim.counterValue && !update.eimPublicKeyData) return 7;
    if (counterValue < 0 || counterValue > card.maxCounterValue) return 6;
    eim.counterValue = counterValue;
  }
  for (const [name, value] of Object.entries(update)) {
    if (value !== undefined) Object.assign(eim.configuration, { [name]: value });
  }
  return 0;
}

/** AddInitialEim (SGP.32 §5.9.4): only while no eIM is associated, all or nothing. */
export function addInitialEim(command: Command, bytes: Uint8Array): Uint8Array {
  const { eimConfigurationDataList } = decode(AddInitialEimRequest, bytes);
  const answer = (value: AddInitialEimResponse) => encode(AddInitialEimResponseSchema, value);
  if (command.state.eims.length > 0) return answer({ addInitialEimError: 2 });
  if (eimConfigurationDataList.length === 0) return answer({ addInitialEimError: 7 });
  const { nextAssociationToken } = command.state;
  const added: NonNullable<AddInitialEimResponse['addInitialEimOk']> = [];
  for (const given of eimConfigurationDataList) {
    const eim = addEim(command, given);
    if (typeof eim === 'number') {
      command.state.eims.length = 0;
      command.state.nextAssociationToken = nextAssociationToken;
      command.changed = false;
      command.events.length = 0;
      return answer({ addInitialEimError: eim });
    }
    added.push(
      eim.associationToken === undefined ? { addOk: true } : { associationToken: eim.associationToken },
    );
  }
  return answer({ addInitialEimOk: added });
}

/** SGP.32 §5.9.18: the counter is not told, a generated association token is. */
export function getEimConfigurationData({ state }: Command, bytes: Uint8Array): Uint8Array {
  const { searchCriteria } = decode(GetEimConfigurationDataRequest, bytes);
  const wanted = state.eims.filter(({ configuration }) => {
    return searchCriteria?.eimId === undefined || configuration.eimId === searchCriteria.eimId;
  });
  return encode(GetEimConfigurationDataResponse, {
    eimConfigurationDataList: wanted.map(({ configuration, associationToken }) => ({
      ...configuration,
      associationToken,
    })),
  });
}
