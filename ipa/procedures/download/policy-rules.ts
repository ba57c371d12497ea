import { getProfilesInfo, getRat } from '../../es10/index.js';
import { Cursor, equal } from '../../tlv/index.js';
import type { IpaContext } from '../context.js';

const PPR1 = 1;
const PPR2 = 2;
const OPERATIONAL = 2;
const ANY_OPERATOR = [0xee, 0xee, 0xee] as const;

/**
 * May a profile with this metadata be installed (procedures.md §6, step 10)? Every Profile Policy Rule it brings must be
 * authorised by the Rules Authorisation Table for its owner, without asking a user: there is none. PPR1 is for the only
 * operational profile of an eUICC.
 * @param profileMetadata the element BF25
 * @throws TlvError when it cannot be read
 */
export async function arePolicyRulesAllowed(
  context: IpaContext,
  profileMetadata: Uint8Array,
): Promise<boolean> {
  const metadata = new Cursor(profileMetadata).expect(0xbf25).enter();
  let owner: Uint8Array | undefined;
  let ppr1 = false;
  let ppr2 = false;
  while (metadata.next()) {
    if (metadata.is(0xb7)) owner = metadata.element;
    else if (metadata.is(0x99)) {
      ppr1 = metadata.bit(PPR1);
      ppr2 = metadata.bit(PPR2);
    }
  }
  if (!ppr1 && !ppr2) return true;
  if (!owner) return false;
  const rat = await getRat(context.es10);
  if (!rat.enter().nextIs(0xa0)) return false;
  const rules = rat.element;
  if (ppr1 && !isAuthorised(rules, PPR1, owner)) return false;
  if (ppr2 && !isAuthorised(rules, PPR2, owner)) return false;
  return !ppr1 || !(await hasOperationalProfile(context));
}

/** @param rules A0 {30 {80 pprIds, A1 {30 {80 mccMnc, [81 gid1], [82 gid2]} …}, 82 pprFlags} …} */
function isAuthorised(rules: Uint8Array, ppr: number, owner: Uint8Array): boolean {
  const cursor = new Cursor(rules).expect(0xa0).enter();
  while (cursor.next()) {
    let applies = false;
    let named = false;
    let consentRequired = true;
    cursor.enter();
    while (cursor.next()) {
      if (cursor.is(0x80)) applies = cursor.bit(ppr);
      else if (cursor.is(0x82)) consentRequired = cursor.bit(0);
      else if (cursor.is(0xa1)) {
        cursor.enter();
        while (!named && cursor.next()) named = isOwner(cursor.element, owner);
        cursor.leave();
      }
    }
    cursor.leave();
    // The first rule that names the owner decides.
    if (applies && named) return !consentRequired;
  }
  return false;
}

/** Does an allowed operator `30 {80, [81], [82]}` cover `B7 {80, [81], [82]}`? What it leaves out may be anything. */
function isOwner(operator: Uint8Array, owner: Uint8Array): boolean {
  const allowed = new Cursor(operator);
  allowed.next();
  allowed.enter();
  while (allowed.next()) {
    if (allowed.is(0x80) && equal(allowed.value, ANY_OPERATOR)) continue;
    if (allowed.length === 0) continue;
    const own = new Cursor(owner);
    own.next();
    if (!own.enter().find(allowed.tag)) return false;
    if (!(allowed.is(0x80) ? matches : equal)(own.value, allowed.value)) return false;
  }
  return true;
}

/** Nibble E stands for any digit. */
function matches(own: Uint8Array, allowed: Uint8Array): boolean {
  if (own.length !== allowed.length) return false;
  for (let i = 0; i < own.length; i++) {
    if (own[i] >> 4 !== allowed[i] >> 4 && allowed[i] >> 4 !== 0xe) return false;
    if ((own[i] & 15) !== (allowed[i] & 15) && (allowed[i] & 15) !== 0xe) return false;
  }
  return true;
}

async function hasOperationalProfile(context: IpaContext): Promise<boolean> {
  const list = await getProfilesInfo(context.es10, [0x95]);
  if (!list.enter().nextIs(0xa0)) return false;
  list.enter();
  while (list.next()) {
    if (!list.is(0xe3)) continue;
    // profileClass is DEFAULT operational.
    if (!list.enter().find(0x95) || list.integer() === OPERATIONAL) return true;
    list.leave();
  }
  return false;
}
