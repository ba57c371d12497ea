import {
  decode,
  EuiccMemoryResetRequest,
  EuiccMemoryResetRequest22,
  EuiccMemoryResetResponse,
  EuiccMemoryResetResponse22,
  encode,
  type Infer,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Command } from './context.js';
import { removeProfile } from './profiles.js';
import type { Profile } from './state.js';

type Option = Infer<typeof EuiccMemoryResetRequest>['resetOptions'][number];

/** SGP.32 §5.9.5 */
export function memoryReset(command: Command, bytes: Uint8Array): Uint8Array {
  const { resetOptions } = decode(EuiccMemoryResetRequest, bytes);
  const { state } = command;
  if (state.emergency) return encode(EuiccMemoryResetResponse, { resetResult: 104 });
  const response: Infer<typeof EuiccMemoryResetResponse> = { resetResult: remove(command, resetOptions) };
  if (resetOptions.includes('resetEimConfigurationData')) {
    response.resetEimResult = state.eims.length > 0 ? 0 : 1;
    state.eims = [];
    state.rollback = undefined;
  }
  if (resetOptions.includes('resetImmediateEnableConfig')) {
    response.resetImmediateEnableConfigResult = 0;
    state.immediateEnable = undefined;
  }
  return encode(EuiccMemoryResetResponse, response);
}

/** SGP.22 §5.7.19 */
export function memoryReset22(command: Command, bytes: Uint8Array): Uint8Array {
  const { resetOptions } = decode(EuiccMemoryResetRequest22, bytes);
  return encode(EuiccMemoryResetResponse22, { result: remove(command, resetOptions) });
}

/** Profiles and the default SM-DP+ address. @returns 0, or 1 when there was nothing to delete */
function remove(command: Command, resetOptions: readonly Option[]): 0 | 1 {
  const { state } = command;
  const has = (option: Option) => resetOptions.includes(option);
  const wanted = ({ profileClass, preLoaded }: Profile) => {
    if (profileClass === 2) return has('deleteOperationalProfiles');
    if (profileClass === 1) return has('deleteProvisioningProfiles');
    return has(preLoaded ? 'deletePreLoadedTestProfiles' : 'deleteFieldLoadedTestProfiles');
  };
  const doomed = state.profiles.filter(wanted);
  doomed.sort((a, b) => Buffer.compare(a.iccid, b.iccid));
  let asked = resetOptions.some((option) => option.startsWith('delete'));
  let done = doomed.length > 0;
  for (const profile of doomed) {
    removeProfile(command, profile);
    if (sameBytes(state.rollback?.iccid, profile.iccid)) state.rollback = undefined;
    if (sameBytes(state.fallbackReturn, profile.iccid)) state.fallbackReturn = undefined;
    if (!profile.enabled) continue;
    // It is gone already; the terminal learns it with the reset.
    state.marked = { enable: state.marked?.enable, disable: profile.iccid };
    command.refresh = true;
  }
  if (has('resetDefaultSmdpAddress')) {
    asked = true;
    done ||= state.defaultDpAddress !== '';
    state.defaultDpAddress = '';
  }
  command.changed = true;
  return asked && !done ? 1 : 0;
}
