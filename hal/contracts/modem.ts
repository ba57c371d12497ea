import type { Uicc } from './uicc.js';

/** `stat` of +CREG/+CGREG/+CEREG (3GPP TS 27.007 §7.2). */
export const Registration = {
  idle: 0,
  home: 1,
  searching: 2,
  denied: 3,
  unknown: 4,
  roaming: 5,
} as const;

/** Does `stat` mean that there is a network to use, at home or roaming? */
export function isRegistered(stat: number): boolean {
  return stat === Registration.home || stat === Registration.roaming;
}

/** Something the modem reported by itself. */
export type ModemNotice =
  /** The card was reset or removed: every logical channel is gone. */
  { notice: 'simLost' } | { notice: 'simReady' } | { notice: 'registration'; stat: number };

/** What the IPA asks of a cellular modem beside the card. Deadlines are milliseconds. */
export interface Modem {
  readonly uicc: Uicc;
  /** Brings the AT interface up, learns the model, switches reports on. May be called again after a failure. */
  start(): Promise<ModemIdentity>;
  /** Last known `stat`. */
  readonly registration: number;
  /** Number of card resets seen since start(): compare before and after to learn whether the card was reset. */
  readonly simResets: number;
  /** True while the card answers as ready. */
  readonly simReady: boolean;
  /** Resolves true as soon as simResets is above `since`, false at the deadline. */
  waitSimReset(since: number, deadline: number): Promise<boolean>;
  waitSimReady(deadline: number): Promise<boolean>;
  waitRegistered(deadline: number): Promise<boolean>;
  /** Powers the card down and up (vendor command, else AT+CFUN=0/1). */
  resetSim(): Promise<void>;
  /** ICCID as in EF_ICCID, 10 bytes, digits nibble-swapped; undefined when the modem does not tell. */
  iccid(): Promise<Uint8Array | undefined>;
  /** Last registered PLMN, 3 bytes of 3GPP TS 24.008 coding; undefined when none is known. */
  rPlmn(): Promise<Uint8Array | undefined>;
  /**
   * Makes the packet data connection use this access point, from its next activation on.
   * @throws XsIpaError `usage` for texts that no command line can carry; `refused`
   */
  setAccessPoint(access: AccessPoint): Promise<void>;
  /** One listener; more are the caller's business. */
  onNotice: ((notice: ModemNotice) => void) | undefined;
  close(): void;
}

/** How a packet data connection is asked for; empty texts for what the network decides. */
export interface AccessPoint {
  apn: string;
  user: string;
  password: string;
}

export interface ModemIdentity {
  manufacturer: string;
  model: string;
  revision: string;
  /** 15 digits, or empty when the modem does not tell. */
  imei: string;
  /** Key of the row of the quirks table that applies. */
  quirks: string;
  /** Which way to the card is in use. */
  access: 'csim' | 'cgla';
}
