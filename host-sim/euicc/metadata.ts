import { Asn1Error, decode, type Infer, type OperatorId, StoreMetadataRequest } from '../asn1/index.js';
import type { Command } from './context.js';
import { LoadFailure } from './load-failure.js';
import { findProfile } from './state.js';

/** Checks of StoreMetadata (SGP.22 §5.5.3, §2.9.2). @throws LoadFailure */
export function checkedMetadata(command: Command, content: Uint8Array): StoreMetadataRequest {
  const metadata = read(content);
  const { iccid, profileClass = operational, profilePolicyRules = [] } = metadata;
  const { state, card } = command;
  if (findProfile(state, iccid)) throw new LoadFailure(2, 9, iccid);
  if (!card.profileClasses.includes(profileClass)) throw new LoadFailure(2, 6, iccid);
  for (const rule of profilePolicyRules) {
    if (!allowed(command, rule, metadata)) throw new LoadFailure(2, 15, iccid);
  }
  return metadata;
}

const operational = 2;

function read(content: Uint8Array): StoreMetadataRequest {
  try {
    return decode(StoreMetadataRequest, content);
  } catch (error) {
    if (error instanceof Asn1Error) throw new LoadFailure(2, 1);
    throw error;
  }
}

type Rule = NonNullable<StoreMetadataRequest['profilePolicyRules']>[number];
type Operator = Infer<typeof OperatorId>;

function allowed({ card, state }: Command, rule: Rule, { profileOwner }: StoreMetadataRequest): boolean {
  if (rule === 'pprUpdateControl') return true;
  if (card.forbiddenPolicyRules.includes(rule)) return false;
  // A profile that must not be disabled would lock up the ones that are there.
  if (rule === 'ppr1' && state.profiles.some(({ profileClass }) => profileClass === operational))
    return false;
  return card.rat.some(
    ({ pprIds, allowedOperators }) =>
      pprIds.includes(rule) && allowedOperators.some((operator) => matches(operator, profileOwner)),
  );
}

/** E in the PLMN of a rule stands for any digit; a group identifier that is absent or empty for any. */
function matches(rule: Operator, owner: Operator | undefined): boolean {
  if (!owner) return false;
  const digit = (plmn: Uint8Array, i: number) => (i & 1 ? plmn[i >> 1] >> 4 : plmn[i >> 1]) & 15;
  for (let i = 0; i < 6; i++) {
    const wanted = digit(rule.mccMnc, i);
    if (wanted !== 0xe && wanted !== digit(owner.mccMnc, i)) return false;
  }
  const group = (wanted: Uint8Array | undefined, is: Uint8Array | undefined) =>
    !wanted || wanted.length === 0 || Buffer.compare(wanted, is ?? new Uint8Array(0)) === 0;
  return group(rule.gid1, owner.gid1) && group(rule.gid2, owner.gid2);
}
