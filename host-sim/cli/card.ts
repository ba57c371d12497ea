import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { XsIpaError } from '../../hal/contracts/index.js';
import { AtModem } from '../../hal/modem/index.js';
import { serialConfiguration } from '../../hal/node/serial.js';
import { nodeTime, nodeTimer } from '../../hal/node/timer.js';
import { type CardKind, VirtualEuicc } from '../euicc/index.js';
import { MemoryStore } from '../store.js';
import { registerLocal } from './card-local.js';
import { type CardView, DirectUicc, readCard } from './card-view.js';
import { defaultState, StateFolder } from './folder.js';
import { accessOption, cardOption, quirksOption, seconds, UsageError, whole } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { noModem } from './reach.js';
import { profileLines, table } from './show.js';
import { cardFile } from './simulation.js';

interface ShowOptions extends OutputOptions {
  state: string;
  pki?: string;
  modem?: string;
  card: CardKind;
  access: 'auto' | 'csim' | 'cgla';
  quirks?: string;
  baud?: number;
  timeout: number;
}

export function registerCard(program: Command, output: (options: OutputOptions) => Output): void {
  const card = program
    .command('card')
    .description('what is on an eUICC, and what an LPA does with a consumer eUICC');
  card
    .command('show')
    .description(
      "Shows EID, profiles, eIMs and what waits to be delivered.\nWithout --modem the virtual eUICC of --state's folder; with it any eUICC, real or simulated. Nothing is changed.",
    )
    .option('--state <dir>', 'folder of the virtual eUICC', defaultState)
    .option('--pki <dir>', "its certificates (default: pki in --state's folder)")
    .option('--modem <where>', 'tcp://host:port, or a tty such as /dev/ttyUSB2')
    .addOption(cardOption())
    .addOption(accessOption())
    .addOption(quirksOption())
    .option('--baud <rate>', 'speed of the tty', whole(1, 10_000_000))
    .option('--timeout <seconds>', 'how long the card may take to be ready', seconds, 30)
    .option('--json', 'as one JSON object')
    .action(async (options: ShowOptions) => show(options, output(options)));
  registerLocal(card, output);
}

async function show(options: ShowOptions, output: Output): Promise<void> {
  const view =
    options.modem === undefined ? await fromFile(options, output) : await fromModem(options, output);
  output.result(view, cardLines(view));
}

/** Works on a copy: what a power-up would change in the file is not written. */
async function fromFile({ state, pki, card: kind }: ShowOptions, output: Output): Promise<CardView> {
  const folder = new StateFolder(state);
  if (!existsSync(folder.file(cardFile))) {
    throw new UsageError(
      `there is no virtual eUICC in ${state}: \`npx xs-ipa device\` and \`npx xs-ipa modem\` make one; --state names another folder, --modem a real card`,
    );
  }
  if (pki === undefined && !existsSync(folder.file('pki'))) {
    throw new UsageError(`${state} has no certificates: say with --pki where the eUICC's are`);
  }
  const { euicc } = await folder.pki(output, pki);
  const card = await folder.open(cardFile, (file) => {
    const store = new MemoryStore();
    store.save(file.load()!);
    return new VirtualEuicc({ credentials: euicc, store, random: Math.random, es10c: true, kind });
  });
  return readCard(new DirectUicc(card));
}

async function fromModem(options: ShowOptions, output: Output): Promise<CardView> {
  const { modem: where = '', access, quirks, baud, timeout } = options;
  const serial = serialConfiguration(where);
  let lost = '';
  const modem = new AtModem({
    serial: baud === undefined ? serial : { ...serial, baud },
    timer: nodeTimer,
    time: nodeTime,
    access,
    quirks,
    observe: (event) => {
      if (event.event === 'modem' && event.notice === 'portLost') lost = String(event.detail);
    },
  });
  const read = async (): Promise<CardView> => {
    const identity = await modem.start();
    if (!(await modem.waitSimReady(timeout * 1000))) {
      throw new UsageError(`the modem at ${where} reports no usable card within ${timeout} s`);
    }
    const { manufacturer, model, revision, access, quirks } = identity;
    return { ...(await readCard(modem.uicc)), modem: { manufacturer, model, revision, access, quirks } };
  };
  try {
    return await output.during(`reading the card behind ${where}`, read());
  } catch (error) {
    throw lost !== '' && error instanceof XsIpaError && error.code === 'closed'
      ? noModem(where, lost)
      : error;
  } finally {
    modem.close();
  }
}

function cardLines(view: CardView): string[] {
  const { eid, modem, info, defaultDpAddress, rootDsAddress, profiles, eims, notifications, results } = view;
  const row = (name: string, value: string) => `${name.padEnd(16)}${value}`;
  const extras = [info.fallback && 'fallback', info.ecall && 'emergency profile'].filter(
    (text) => text !== false,
  );
  const kind = info.iotVersion === undefined ? 'a consumer eUICC' : `SGP.32 ${info.iotVersion}`;
  const lines = [row('EID', eid)];
  if (modem) {
    const { manufacturer, model, revision, access, quirks } = modem;
    lines.push(row('modem', `${manufacturer} ${model} ${revision}, by ${access}, quirks ${quirks}`));
  }
  lines.push(
    row(
      'eUICC',
      `${kind}, SGP.22 ${info.svn}, firmware ${info.firmware}${extras.map((text) => `, ${text}`).join('')}`,
    ),
    row('CI keys', info.ciKeys.join(', ')),
    row('default SM-DP+', defaultDpAddress || 'none'),
    row('root SM-DS', rootDsAddress || 'none'),
    '',
    ...profileLines(profiles),
    '',
  );
  if (eims === undefined) lines.push('it knows no eIMs');
  else if (eims.length === 0) lines.push('no eIM is associated');
  else {
    const rows = eims.map((eim) => [eim.eimId, eim.eimFqdn ?? '', String(eim.associationToken ?? '')]);
    lines.push(...table([['EIM', 'FQDN', 'TOKEN'], ...rows]));
  }
  lines.push('');
  if (notifications.length === 0) lines.push('notifications that wait: none');
  else {
    const rows = notifications.map((one) => [String(one.seqNumber), one.event, one.iccid ?? '', one.address]);
    lines.push(...table([['NOTIFICATION', 'EVENT', 'ICCID', 'FOR'], ...rows]));
  }
  if (results !== undefined) lines.push(`package results that wait: ${results || 'none'}`);
  return lines;
}
