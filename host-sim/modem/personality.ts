import { SimModemError } from './error.js';

/** Everything in which simulated modems differ. */
export interface Personality {
  name: string;
  /** Answers of AT+CGMI, AT+CGMM, AT+CGMR. */
  manufacturer: string;
  model: string;
  revision: string;
  /** Extended commands of the table that this modem does not know. */
  missing: readonly string[];
  /** `=?` of the four commands to the card: an answer, a bare OK, ERROR, or nothing at all. */
  probes: 'answer' | 'ok' | 'error' | 'silent';
  /** What an echoed carriage return looks like. */
  echoedReturn: '\r' | '\r\n';
  /** Longest command line it takes. */
  longestLine: number;
  /** +CMEE after power-up. */
  cmee: 0 | 1 | 2;
  /** How +CSIM, +CGLA and +CRSM write response bytes. */
  hex: 'upper' | 'lower';
  quoted: boolean;
  /** Lower-case hex in commands is refused (CME 50). */
  upperHexOnly: boolean;
  /** Refuses Le behind data (CME 50), as several AT layers do. */
  refusesLeAfterData: boolean;
  /** Answer of +CCHO. */
  opened: 'prefixed' | 'bare';
  /** What session ids are made of: the number of the channel, or 16 hex digits without meaning. */
  sessionIds: 'channel' | 'longHex';
  /** Session `0` is the basic channel and needs no +CCHO. */
  basicSession: boolean;
  /** AT+CSIM with MANAGE CHANNEL is answered 6A81 without asking the card. */
  refusesManageChannel: boolean;
  /** Who fetches the rest after 61xx. `modem` also repeats after 6Cxx. */
  getResponse: 'te' | 'modem';
  /** With getResponse `modem`: most data bytes of one answer. */
  answerCap: number;
  /** What becomes of bytes beyond the cap of +CSIM: fetched by the TE (61xx), or gone (9000). +CGLA keeps them. */
  beyondCap: 'kept' | 'lost';
  /** Channels the modem opens for itself when the card comes up. */
  reservedChannels: number;
  /** A REFRESH is answered as performed, but nothing happens until the card is powered down and up. */
  ignoresRefresh: boolean;
  /** Lines of its own when the card goes down and when it is ready again. */
  simLost: readonly string[];
  simReady: readonly string[];
  /** Line after power-up. */
  booted: readonly string[];
  /** AT+CPIN? while no profile is enabled: READY, or this +CME ERROR. */
  withoutProfile: 'ready' | number;
  /** ICCID commands; the answer has the command's name (`+CCID: …`) or `answer`. */
  iccid: readonly { command: string; answer?: string; quoted?: boolean }[];
}

const GENERIC: Personality = {
  name: 'generic',
  manufacturer: 'xs-ipa',
  model: 'Simulated LTE modem',
  revision: '27.007',
  missing: [],
  probes: 'answer',
  echoedReturn: '\r',
  longestLine: 2048,
  cmee: 0,
  hex: 'upper',
  quoted: true,
  upperHexOnly: false,
  refusesLeAfterData: false,
  opened: 'prefixed',
  sessionIds: 'channel',
  basicSession: false,
  refusesManageChannel: false,
  getResponse: 'te',
  answerCap: 256,
  beyondCap: 'kept',
  reservedChannels: 0,
  ignoresRefresh: false,
  simLost: ['+CPIN: NOT READY'],
  simReady: ['+CPIN: READY'],
  booted: [],
  withoutProfile: 'ready',
  iccid: [{ command: '+CCID' }, { command: '+ICCID' }],
};

/** By name. Traits that have a known bearer are listed in spec/at.md §7. */
export const personalities = {
  /** 3GPP TS 27.007 to the letter. */
  generic: GENERIC,
  /** No session commands; also quiet about a card without an enabled profile. */
  'csim-only': {
    ...GENERIC,
    name: 'csim-only',
    model: 'Simulated CSIM modem',
    missing: ['+CCHO', '+CGLA', '+CCHC'],
    refusesLeAfterData: true,
    longestLine: 560,
    withoutProfile: 13,
    iccid: [{ command: '+CICCID', answer: '+ICCID' }],
  },
  /** Sessions only, with a bare number from +CCHO and no `=?` forms. */
  'cgla-bare': {
    ...GENERIC,
    name: 'cgla-bare',
    manufacturer: 'Fibocom Wireless Inc.',
    model: 'FM350-GL',
    revision: '81600.0000.00.29.23.13',
    missing: ['+CSIM'],
    probes: 'error',
    opened: 'bare',
    echoedReturn: '\r\n',
    simLost: ['+CPIN: NOT READY', '+SIM: Removed'],
    simReady: ['+SIM: Inserted', '+CPIN: READY'],
    iccid: [{ command: '+ICCID' }, { command: '+CCID' }],
  },
  /** Opaque session ids; `=?` of the card commands is never answered. */
  'long-handles': {
    ...GENERIC,
    name: 'long-handles',
    manufacturer: 'Sierra Wireless, Incorporated',
    model: 'EM7590',
    revision: 'SWIX55C_01.07.06.00',
    probes: 'silent',
    sessionIds: 'longHex',
    iccid: [{ command: '+ICCID' }],
  },
  /** Resolves 61xx itself, 256 bytes at a time. */
  'auto-get-response': {
    ...GENERIC,
    name: 'auto-get-response',
    model: 'Simulated chaining modem',
    getResponse: 'modem',
    beyondCap: 'kept',
    iccid: [{ command: '+CCID', quoted: true }],
  },
  /** The same with the fault of the field: +CSIM loses what is beyond 256 bytes; session 0 needs no +CCHO. */
  mt5700: {
    ...GENERIC,
    name: 'mt5700',
    manufacturer: 'TD Tech Ltd',
    model: 'MT5700M-CN',
    revision: 'V200R001C20B014',
    missing: ['+CCHO', '+CCHC'],
    probes: 'error',
    getResponse: 'modem',
    beyondCap: 'lost',
    basicSession: true,
    refusesManageChannel: true,
    iccid: [{ command: '^ICCID' }],
  },
  /** Keeps channels 1 and 2 for itself and reports the card at length. */
  quectel: {
    ...GENERIC,
    name: 'quectel',
    manufacturer: 'Quectel',
    model: 'EG25',
    revision: 'EG25GGBR07A08M2G',
    probes: 'ok',
    reservedChannels: 2,
    booted: ['RDY', '+CFUN: 1'],
    simLost: ['+CPIN: NOT READY', '+QSIMSTAT: 1,0'],
    simReady: ['+QSIMSTAT: 1,1', '+CPIN: READY', '+QUSIM: 1'],
    iccid: [{ command: '+QCCID' }],
  },
  /** Notices a switch only when the card is powered down and up. */
  'ignores-refresh': {
    ...GENERIC,
    name: 'ignores-refresh',
    manufacturer: 'SIMCOM INCORPORATED',
    model: 'SIMCOM_SIM7600G-H',
    revision: 'LE20B04SIM7600G22',
    missing: ['+CCHO', '+CGLA', '+CCHC'],
    ignoresRefresh: true,
    booted: ['RDY'],
    iccid: [{ command: '+CICCID', answer: '+ICCID' }],
  },
  'lower-hex': { ...GENERIC, name: 'lower-hex', model: 'Simulated lower-case modem', hex: 'lower' },
  unquoted: { ...GENERIC, name: 'unquoted', model: 'Simulated unquoting modem', quoted: false },
  'upper-hex-only': {
    ...GENERIC,
    name: 'upper-hex-only',
    model: 'Simulated upper-case modem',
    upperHexOnly: true,
    cmee: 2,
  },
} as const satisfies Record<string, Personality>;

export type PersonalityName = keyof typeof personalities;

/** @throws SimModemError `unknownPersonality`, with the names there are */
export function personalityByName(name: string): Personality {
  if (Object.hasOwn(personalities, name)) return personalities[name as PersonalityName];
  throw new SimModemError(
    'unknownPersonality',
    `no modem personality "${name}"; there are ${Object.keys(personalities).join(', ')}`,
  );
}
