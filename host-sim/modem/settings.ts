import type { Personality } from './personality.js';
import type { Radio } from './radio.js';
import type { Sim } from './sim.js';

/** One packet data context of +CGDCONT. */
export interface PacketContext {
  type: string;
  apn: string;
  active: boolean;
  /** +CGAUTH: 0 none, 1 PAP, 2 CHAP. */
  auth?: { protocol: number; user: string; password: string };
}

/** What AT commands change; back to these values after power-up. */
export class Settings {
  echo = true;
  verbose = true;
  cmee: number;
  /** `n` of +CREG, +CGREG, +CEREG. */
  readonly reports: Record<string, number> = { '+CREG': 0, '+CGREG': 0, '+CEREG': 0 };
  /** +CGEREP mode. */
  packetEvents = 0;
  cfun = 1;
  /** +COPS mode: 0 automatic, 2 deregistered. */
  operatorMode = 0;
  operatorFormat = 0;
  detached = false;
  readonly contexts = new Map<number, PacketContext>([[1, { type: 'IP', apn: '', active: false }]]);

  constructor(personality: Personality) {
    this.cmee = personality.cmee;
  }

  /** ATZ, AT&F: what concerns the conversation only. */
  reset(personality: Personality): void {
    this.echo = true;
    this.verbose = true;
    this.cmee = personality.cmee;
    for (const name of Object.keys(this.reports)) this.reports[name] = 0;
    this.packetEvents = 0;
  }
}

/** What command handlers may touch. */
export interface Mt {
  readonly personality: Personality;
  readonly settings: Settings;
  readonly sim: Sim;
  readonly radio: Radio;
  readonly imei: string;
  /** One APDU for the TE. @throws CmeError when the card gives no answer */
  exchange(apdu: Uint8Array): Promise<Uint8Array>;
  /** Settings that concern the transmitter have changed. */
  tune(): void;
  /** Restarts the modem after the final result of this command. */
  restart(): void;
}

export type Handler = (
  mt: Mt,
  parameters: readonly string[],
) => string[] | undefined | Promise<string[] | undefined>;

/** The forms a command has; one that is absent ends in ERROR. `test` may be just the text behind the name. */
export interface Forms {
  run?: Handler;
  set?: Handler;
  read?: Handler;
  test?: Handler | string;
}
