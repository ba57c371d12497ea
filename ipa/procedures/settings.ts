import { Protocol } from '../es10/index.js';

/** Times and limits of an IPA, milliseconds and bytes. */
export interface IpaSettings {
  /** Between two polls of an eIM. */
  pollInterval: number;
  /** Most packages fetched in one poll: survives an eIM that always has one more. */
  pollRounds: number;
  simReadyDeadline: number;
  /** How long the modem may take to notice a REFRESH by itself before the IPA resets the card. */
  refreshDeadline: number;
  registrationDeadline: number;
  /** Attempts to reach the ISD-R after a reset, and the pause between them. */
  openAttempts: number;
  openPause: number;
  /** First and longest pause after a failure; doubled each time, with jitter. */
  backOff: number;
  backOffLimit: number;
  /** How long the eIM may take to acknowledge the result of an injected package. */
  acknowledgementDeadline: number;
  /** Longest ESipa message the IPA builds. */
  messageLimit: number;
  /** How often a download that broke off is begun, before its failure is reported. */
  downloadAttempts: number;
  /**
   * After a profile change the modem's access point becomes the one that the profile brings. Costs an exchange with the
   * eUICC and two AT commands a change, so only for modems that the profile's APN does not reach otherwise.
   */
  applyConnectivityParameters: boolean;
  /** For activation codes that need a confirmation code; empty for none. Sent as a hash that only this download has. */
  confirmationCode: string;
  /** The notifications of a consumer eUICC are brought to their SM-DP+ as soon as there is a network. */
  localNotifications: boolean;
  /** A profile that was installed is enabled at once, where the eUICC is configured for it. */
  immediateEnable: boolean;
  /** How long a profile that was enabled with the rollback flag may take to bring its result to the eIM. */
  rollbackDeadline: number;
  /** Without an answer of any eIM for so long the Fallback Profile is enabled, where there is one; 0 for never. */
  fallbackAfter: number;
  /** How long it stays enabled before the former one is tried again. */
  fallbackReturn: number;
  /** The eIM is told that it keeps the download data to itself (IpaCapabilities bit 2): no address is sent to it. */
  eimDownloadDataHandling: boolean;
  /** The eIM may make ctxParams1 (bit 3). */
  eimCtxParams1Generation: boolean;
  /** Metadata of profiles is for the eIM to check, and need not be sent (bit 4). */
  eimProfileMetadataVerification: boolean;
  /** What the eIM knows is left out of messages to it (bit 5, esipa.md §4). */
  minimizeEsipaBytes: boolean;
  /** ipaSupportedProtocols: a sum of `0x80 >> Protocol.…` for the links that this device has. */
  supportedProtocols: number;
  /** The links run over this modem's data connection: without registration there is nothing to try. */
  networkThroughModem: boolean;
}

/** Times and limits for a device in the field; an option of Ipad replaces single ones. */
const DEFAULTS: IpaSettings = {
  pollInterval: 3_600_000,
  pollRounds: 16,
  simReadyDeadline: 30_000,
  refreshDeadline: 15_000,
  registrationDeadline: 300_000,
  openAttempts: 10,
  openPause: 1_500,
  backOff: 5_000,
  backOffLimit: 900_000,
  acknowledgementDeadline: 60_000,
  messageLimit: 32_768,
  downloadAttempts: 3,
  applyConnectivityParameters: false,
  confirmationCode: '',
  localNotifications: true,
  immediateEnable: true,
  rollbackDeadline: 300_000,
  fallbackAfter: 0,
  fallbackReturn: 3_600_000,
  eimDownloadDataHandling: false,
  eimCtxParams1Generation: true,
  eimProfileMetadataVerification: false,
  minimizeEsipaBytes: false,
  supportedProtocols: 0x80 >> Protocol.proprietary,
  networkThroughModem: true,
};

/** `settings`, and what they leave open from the constant ones: only the former take memory of a device. */
export function withDefaults(settings: Partial<IpaSettings> = {}): IpaSettings {
  return Object.create(DEFAULTS, Object.getOwnPropertyDescriptors(settings)) as IpaSettings;
}
