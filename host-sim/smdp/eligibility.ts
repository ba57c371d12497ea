import {
  Asn1Error,
  type EuiccInfo2,
  readElement,
  type StoreMetadataRequest,
  writeElement,
} from '../asn1/index.js';
import { Refusal } from './refusal.js';

/** Eligibility check of SGP.22 §3.1.2 step 5, as far as EUICCInfo2 tells. @throws Refusal 8.1/4.8 or 8.2.5/4.3 */
export function checkEligible(info: EuiccInfo2, metadata: StoreMetadataRequest, profileBytes: number): void {
  const free = freeMemoryOf(info.extCardResource);
  if (free !== undefined && free < profileBytes)
    throw new Refusal('8.1/4.8', `the profile has ${profileBytes} bytes, the eUICC has ${free} left`);
  const forbidden = (metadata.profilePolicyRules ?? []).filter((rule) =>
    info.forbiddenProfilePolicyRules?.includes(rule),
  );
  if (forbidden.length > 0)
    throw new Refusal('8.2.5/4.3', `the eUICC forbids the policy rules ${forbidden.join(', ')}`);
  if (metadata.profileClass === 0 && !info.rspCapability.includes('testProfileSupport'))
    throw new Refusal('8.2.5/4.3', 'the eUICC takes no test profiles');
}

/** 82 of the extended card resources (ETSI TS 102 226 §8.2.1.7.2); undefined where a card does not say. */
function freeMemoryOf(extCardResource: Uint8Array): number | undefined {
  try {
    const { children } = readElement(writeElement(0xa0, extCardResource));
    const content = children.find(({ tag }) => tag === 0x82)?.content;
    if (!content || content.length === 0) return undefined;
    return content.reduce((sum, byte) => sum * 256 + byte, 0);
  } catch (error) {
    if (error instanceof Asn1Error) return undefined;
    throw error;
  }
}
