export { AtClient, type AtClientOptions } from './at-client.js';
export type { AtCommand, AtResult } from './at-command.js';
export { AtError } from './at-error.js';
export { AtModem, type AtModemOptions } from './modem.js';
export { GENERIC, QUIRKS, type Quirks, quirksFor, quirksNamed } from './quirks.js';
export { COMBINED_CAPABILITY, TERMINAL_CAPABILITY } from './uicc-context.js';
