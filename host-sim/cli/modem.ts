import type { Command } from 'commander';
import { RealClock } from '../clock.js';
import type { CardKind } from '../euicc/index.js';
import { listenTcp, type personalities } from '../modem/index.js';
import { Trace } from '../trace/index.js';
import { defaultState, StateFolder } from './folder.js';
import { cardOption, eid, personality, tcpAddress, UsageError, whole } from './operands.js';
import { interrupted, type Output, type OutputOptions } from './output.js';
import { simulateCard } from './simulation.js';

interface ModemOptions extends OutputOptions {
  listen: string;
  personality: string;
  state: string;
  pki?: string;
  eid?: string;
  baud: number;
  es10c: boolean;
  card: CardKind;
  profiles?: string;
}

const kinds: Readonly<Record<keyof typeof personalities, string>> = {
  generic: '3GPP TS 27.007 to the letter',
  'csim-only': 'AT+CSIM and nothing else; command lines of 560 characters',
  'cgla-bare': 'sessions only; +CCHO answers with a bare number',
  'long-handles': 'session ids of 16 hex digits; =? is never answered',
  'auto-get-response': 'resolves 61xx by itself',
  mt5700: 'the same, and +CSIM loses what is beyond 256 bytes; session 0 without +CCHO',
  quectel: 'keeps two channels for itself; many unsolicited lines',
  'ignores-refresh': 'notices a profile switch only when the card is powered down and up',
  'lower-hex': 'hex in lower case',
  unquoted: 'answers without quotation marks',
  'upper-hex-only': 'takes upper-case hex only; errors as text',
};

export function registerModem(program: Command, output: (options: OutputOptions) => Output): void {
  const list = Object.entries(kinds).map(([name, text]) => `  ${name.padEnd(18)} ${text}`);
  program
    .command('modem')
    .summary('simulated modem with a virtual eUICC, alone')
    .description(
      'A simulated cellular modem with a virtual eUICC. Its serial port is a TCP port, one client at a time.\nRuns until Ctrl-C; the eUICC lives on in --state.',
    )
    .option('--listen <address>', 'tcp://host:port; port 0 takes a free one', 'tcp://127.0.0.1:7000')
    .option('--personality <name>', 'kind of modem, see below', personality, 'generic')
    .option('--state <dir>', 'folder for everything that survives a restart', defaultState)
    .option('--pki <dir>', "certificates and keys of the eUICC (default: pki in --state's folder)")
    .option('--eid <digits>', 'EID of the eUICC, when certificates have to be made', eid)
    .option('--baud <rate>', 'speed of the serial line; 0 = no pacing', whole(0, 10_000_000), 115_200)
    .addOption(cardOption())
    .option('--no-es10c', 'as SGP.32 has it: no ES10c, and an IPAd in TERMINAL CAPABILITY is needed')
    .option('--profiles <file>', 'JSON list of the profiles of a new eUICC (docs/cli.md)')
    .option('--json', 'one JSON object per event (docs/events.md)')
    .option('-v, --verbose', 'more of each event')
    .option('-q, --quiet', 'no events')
    .addHelpText('after', `\nPersonalities:\n${list.join('\n')}`)
    .action(async (options: ModemOptions) => run(options, output(options)));
}

async function run(options: ModemOptions, output: Output): Promise<void> {
  const address = tcpAddress(options.listen);
  const clock = new RealClock();
  const trace = new Trace(clock);
  if (!options.quiet) trace.subscribe((event) => output.event(event));
  const folder = new StateFolder(options.state);
  folder.lock('card', 'the virtual eUICC');
  const { personality, baud, es10c, card, profiles } = options;
  const { modem, eid } = await simulateCard(folder, output, {
    clock,
    trace,
    pkiDir: options.pki,
    eid: options.eid,
    personality,
    baud,
    es10c,
    kind: card,
    profiles,
  });
  const server = await listenTcp(modem, address).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EADDRINUSE' ? 'the port is in use, choose another' : cause.message;
    throw new UsageError(`cannot listen on ${options.listen}: ${why}`, { cause });
  });
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const url = `tcp://${host}:${server.port}`;
  const socat = `socat pty,raw,echo=0,link=/tmp/ttyXS tcp:${host}:${server.port}`;
  output.result({ event: 'modem-listening', url, personality, eid, state: options.state, socat }, [
    `Modem "${personality}" with eUICC ${eid} on ${url}, state in ${options.state}; Ctrl-C ends it`,
    `  as a tty   ${socat}`,
    `  an IPA     npx xs-ipa device --modem ${url}`,
    `  by hand    socat - tcp:${host}:${server.port}   (then AT and Enter; nc ${address.host} ${server.port} does it, too)`,
  ]);
  await interrupted();
  await server.close();
  modem.powerOff();
}
