import type { IpaState } from '../../ipa/events.js';

/** What a story needs of an IPA, wherever it runs: Ipad on this computer, XsIpa on a device's engine. Its events are on the trace. */
export interface Ipa {
  readonly state: IpaState;
  /** Asks for a poll of every eIM as soon as possible. */
  poll(): void;
  /** Provides an EimConfigurationData (`30 …`) for an eUICC without an eIM. */
  associate(initialEim: Uint8Array): void;
  /** Resolves when it has stopped. */
  run(): Promise<void>;
  stop(): void;
}
