// How modems differ from 3GPP TS 27.007, as one table. Every row rests on at.md (§ in the comment) or field.md.

export interface Quirks {
  readonly name: string;
  /** Parts of the +CGMM text, compared in upper case; the row with the first hit applies. */
  readonly models: readonly string[];
  /** The way to the card to try first; the other one is the fallback. */
  readonly access?: 'csim' | 'cgla';
  /** `=?` is silent or says ERROR though the command works: ask with the real command. */
  readonly silentTest?: boolean;
  /** AT+CGLA works with this session and no AT+CCHO; SELECT is ours then. */
  readonly fixedSession?: string;
  /** No logical channels: the application is selected on the basic channel. */
  readonly basicChannel?: boolean;
  /** AT+CGLA wants the channel bits in CLA (true) or not (false); learnt when absent. */
  readonly cglaClaBits?: boolean;
  /** Le 00 after the data of the last block. Most AT layers refuse it (at.md §2). */
  readonly leWithData?: boolean;
  /** Most bytes to ask for by GET RESPONSE. */
  readonly maxResponse?: number;
  /** Milliseconds between a final result and the next command. */
  readonly commandGap?: number;
  /** Commands that tell the ICCID, best first; the common ones follow by themselves. */
  readonly iccid?: readonly string[];
  /** Commands that take the card down and up again, instead of AT+CFUN=0 and AT+CFUN=1. */
  readonly simReset?: { readonly off: string; readonly on: string };
}

export const GENERIC: Quirks = { name: 'generic', models: [] };

// More specific texts first: EC200A before EC20, EG25 before nothing shorter.
export const QUIRKS: readonly Quirks[] = [
  // §7: the complete CSIM path works; the card hands out channels 1–3
  { name: 'quectel-ec200a', models: ['EC200A'], access: 'csim', iccid: ['AT+QCCID'] },
  // §7: bare session id in the AT manual of the EC800 family
  { name: 'quectel-ec800', models: ['EC800'], iccid: ['AT+QCCID'] },
  // §7: CCHO/CGLA good, a CLA 81 command over CSIM failed (lpac 164)
  { name: 'quectel-eg25', models: ['EG25', 'EC25', 'EC20'], access: 'cgla', iccid: ['AT+QCCID'] },
  // §7: CME 0 on SELECT over a CSIM channel, CSIM commands dropped at times
  { name: 'quectel-eg95', models: ['EG95'], access: 'cgla', iccid: ['AT+QCCID'] },
  // §7: no =? forms (lpac 300)
  { name: 'quectel-em05', models: ['EM05'], silentTest: true, iccid: ['AT+QCCID'] },
  // §7: CSIM, CCHO and CGLA all supported
  { name: 'quectel-rm520n', models: ['RM520N'], iccid: ['AT+QCCID'] },
  { name: 'quectel-bg95', models: ['BG95', 'BG96'], iccid: ['AT+QCCID'] },
  // §7: bare CCHO number, silent probes (lpac 209, 442, 445, 448)
  { name: 'fibocom-fm350', models: ['FM350'], access: 'cgla', silentTest: true },
  // §7: no =? forms (lpac 300)
  { name: 'fibocom-fg132', models: ['FG132'], silentTest: true },
  // §7: CCHO and CGLA say ERROR
  { name: 'fibocom-nl668', models: ['NL668'], access: 'csim' },
  // §7: long hex session ids, no AT+CGLA=? (lpac 138, 139)
  { name: 'sierra-mc7455', models: ['MC7455', 'EM7455'], access: 'cgla', silentTest: true },
  { name: 'sierra-em7590', models: ['EM7590'], access: 'cgla', silentTest: true },
  // §7: CCHO "Parameters error", no CCHC (lpac 187)
  { name: 'sierra-em9191', models: ['EM9191'], access: 'csim' },
  // §2, §3, §7: session 0 without CCHO; CSIM answers end at 256 bytes; =? missing
  {
    name: 'mt5700',
    models: ['MT5700'],
    access: 'cgla',
    silentTest: true,
    fixedSession: '0',
  },
  // §7: CCHO accepted but always an error; CSIM only on channel 0
  { name: 'huawei-ms2372h', models: ['MS2372'], access: 'csim', basicChannel: true },
  // §7: CSIM path works; the card is not read again after a switch without a power cycle (lpac 236)
  { name: 'simcom-sim7600', models: ['SIM7600'], access: 'csim', iccid: ['AT+CICCID'] },
  // §5: SIMCom's ICCID command
  { name: 'simcom-sim7080', models: ['SIM7080', 'SIM7070', 'SIM7090'], iccid: ['AT+CICCID'] },
  { name: 'simcom-a7670', models: ['A7670'], iccid: ['AT+CICCID'] },
  // §1, §7: 20 ms between a final result and the next command (RIOT-OS 14914); "SIM busy" early after boot
  { name: 'ublox-sara-r4', models: ['SARA-R4'], commandGap: 20 },
  // §7: CSIM, CCHO, CGLA present; §5: Sequans' ICCID command
  { name: 'sequans-gm02s', models: ['GM02S', 'GM02SP', 'MONARCH'], iccid: ['AT+SQNCCID'] },
  // §7: CSIM, CCHO, CGLA, CCHC present, documented as test-only
  { name: 'nrf91', models: ['NRF91'] },
  // §7: AT manuals of LE9x0 list CSIM and CRSM; §5: Telit's ICCID command
  { name: 'telit-le910c4', models: ['LE910C4'], access: 'csim', iccid: ['AT#CCID'] },
  // §7: only CSIM
  { name: 'dell-dw5821e', models: ['DW5821E'], access: 'csim' },
  { name: 'alcatel-ik41', models: ['IK41'], access: 'csim' },
];

/** The row that applies to a modem which names itself so; GENERIC when none does. */
export function quirksFor(manufacturer: string, model: string): Quirks {
  const text = `${manufacturer} ${model}`.toUpperCase();
  for (const row of QUIRKS) {
    for (const part of row.models) if (text.includes(part)) return row;
  }
  return GENERIC;
}

/** The row of that name, or undefined. */
export function quirksNamed(name: string): Quirks | undefined {
  if (name === GENERIC.name) return GENERIC;
  for (const row of QUIRKS) if (row.name === name) return row;
  return undefined;
}
