import type { SecureUdp } from '../../contracts/index.js';

/**
 * DTLS for CoAP. The SDK has none: a board whose modem or native code has it puts its own module in this one's place
 * (docs/firmware.md).
 */
export const secureUdp: SecureUdp | undefined = undefined;
