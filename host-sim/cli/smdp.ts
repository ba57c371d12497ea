import { type Command, Option } from 'commander';
import { hex, NotificationEventNames } from '../asn1/index.js';
import { RealClock } from '../clock.js';
import { makeSmdp, type Pki, type SmdpCredentials } from '../pki/index.js';
import {
  defaultSmdpControlPort,
  ServerControlClient,
  Smdp,
  serveRsp,
  serveSmdpControl,
} from '../smdp/index.js';
import { Trace } from '../trace/index.js';
import { defaultState, StateFolder, secureRandom } from './folder.js';
import { collect, eid, iccid, readBytes, seconds, UsageError, whole } from './operands.js';
import { interrupted, type Output, type OutputOptions } from './output.js';

const defaultControl = `http://127.0.0.1:${defaultSmdpControlPort}`;
const kind = 'SM-DP+';

export interface ServeOptions extends OutputOptions {
  state: string;
  pki?: string;
  fqdn?: string;
  port: number;
  host: string;
  controlPort: number;
  http?: boolean;
  provoke: string[];
}

interface OrderOptions extends OutputOptions {
  smdp: string;
  iccid?: string;
  profile?: string;
  profileSize?: number;
  imsi?: string;
  name?: string;
  provider?: string;
  class?: 'test' | 'provisioning' | 'operational';
  ppr: string[];
  fallbackAllowed?: boolean;
  emergency?: boolean;
  eid?: string;
  matchingId?: string;
  default?: boolean;
  confirmationCode?: string;
  released: boolean;
  expires?: number;
  attempts?: number;
  replaceSessionKeys?: boolean;
  oneBinding?: boolean;
  provoke: string[];
  notify?: string;
  smds?: string;
}

export function registerSmdp(program: Command, output: (options: OutputOptions) => Output): void {
  const smdp = program.command('smdp').description('a running SM-DP+, and orders for profiles');
  serveCommand(smdp, 'SM-DP+', defaultSmdpControlPort, 8443).action(async (options: ServeOptions) =>
    serve(options, output(options)),
  );
  smdp
    .command('order')
    .description('a profile that may be downloaded; prints its activation code')
    .option('--smdp <url>', 'control address of the running SM-DP+', defaultControl)
    .option('--iccid <digits>', 'ICCID of the profile that is made', iccid)
    .option('--profile <file>', 'a profile package (SAIP, DER) instead of one that is made')
    .option('--profile-size <bytes>', 'length of the profile that is made', whole(100, 4_000_000))
    .option('--imsi <digits>', 'its IMSI')
    .option('--name <text>', 'profile name')
    .option('--provider <text>', 'service provider name')
    .addOption(
      new Option('--class <class>', 'profile class').choices(['test', 'provisioning', 'operational']),
    )
    .addOption(
      new Option('--ppr <rule>', 'profile policy rule; several times')
        .choices(['pprUpdateControl', 'ppr1', 'ppr2'])
        .argParser(collect)
        .default([]),
    )
    .option('--fallback-allowed', 'it may become the fallback profile')
    .option('--emergency', 'it is an emergency profile')
    .option('--eid <digits>', 'for this eUICC only', eid)
    .option('--matching-id <text>', 'default: made up')
    .option('--default', 'no matchingId: for --eid, when it asks its default SM-DP+')
    .option('--confirmation-code <text>', 'asked for at the download')
    .option('--no-released', 'it waits for `smdp release`')
    .option('--expires <seconds>', 'from now', seconds)
    .option('--attempts <count>', 'downloads that may be begun, default 10', whole(0, 1_000_000))
    .option('--replace-session-keys', 'keys of its own for the profile (ReplaceSessionKeys)')
    .option('--one-binding', 'bound once only: another one-time key of the eUICC is refused')
    .option(
      '--provoke <code>',
      'subject/reason[@function] of ES9+ instead of success; several times',
      collect,
      [],
    )
    .option('--notify <address>', 'whom the eUICC tells of the profile (default: the SM-DP+)')
    .option('--smds <url>', 'control address of a running SM-DS that is to have the event (needs --eid)')
    .option('--json', 'the order as one JSON object')
    .action(async (options: OrderOptions) => order(options, output(options)));
  smdp
    .command('release')
    .description('makes an order that waits, or one that failed, available')
    .argument('<order>', 'matchingId, ICCID or EID')
    .option('--smdp <url>', 'control address of the running SM-DP+', defaultControl)
    .option('--json', 'the order as one JSON object')
    .action(async (key: string, options: OutputOptions & { smdp: string }) => {
      const view = await new ServerControlClient(options.smdp, kind).release(key);
      output(options).result(view, [`${view.iccid} is ${view.state}`]);
    });
  smdp
    .command('orders')
    .description('the orders of the running SM-DP+')
    .option('--smdp <url>', 'control address of the running SM-DP+', defaultControl)
    .option('--json', 'as one JSON object')
    .action(async (options: OutputOptions & { smdp: string }) => {
      const orders = await new ServerControlClient(options.smdp, kind).orders();
      output(options).result(
        { orders },
        orders.length === 0
          ? ['no orders']
          : orders.map(({ iccid, state, activationCode, eid, outcome }) =>
              [iccid, state, activationCode ?? `default for ${eid}`, outcome].filter(Boolean).join('  '),
            ),
      );
    });
}

/** Options that SM-DP+ and SM-DS share. */
export function serveCommand(parent: Command, what: string, controlPort: number, port: number): Command {
  const number = whole(0, 65_535);
  return parent
    .command('serve')
    .summary(`run an ${what}`)
    .description(
      `Runs an ${what} until Ctrl-C: HTTPS with a certificate of --pki, JSON and ASN.1. What it holds survives a restart.`,
    )
    .option('--state <dir>', 'folder for everything that survives a restart', defaultState)
    .option('--pki <dir>', "certificates and keys (default: pki in --state's folder, made when missing)")
    .option('--fqdn <name>', 'its name, as in activation codes (default: from the certificate)')
    .option('--port <port>', 'port of ES9+ and ES11; 0 takes a free one', number, port)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--control-port <port>', 'port of the control interface; 0 takes a free one', number, controlPort)
    .option('--http', 'plain HTTP, for this computer only')
    .option('--provoke <code>', 'subject/reason[@function] to answer with always; several times', collect, [])
    .option('--json', 'one JSON object per event (docs/events.md)')
    .option('-v, --verbose', 'more of each event')
    .option('-q, --quiet', 'failures only');
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  const { state, http, host, port, controlPort } = options;
  const clock = new RealClock();
  const trace = new Trace(clock);
  trace.subscribe((event) => output.event(event));
  const folder = new StateFolder(state);
  const pki = await folder.pki(output, options.pki);
  const credentials = chosen(pki, options.fqdn);
  checkHttp(options);
  folder.lock('smdp', 'the SM-DP+');
  const smdp = await folder.open(
    'smdp.cbor',
    (store) =>
      new Smdp({
        credentials,
        ciCertificates: pki.ciCertificates,
        store,
        clock,
        random: secureRandom,
        observe: trace.observer('smdp'),
      }),
  );
  for (const code of options.provoke) smdp.provoke(code);
  const server = await serveRsp({
    server: smdp,
    port,
    host,
    ...(!http && { tls: credentials.tls }),
    onProblem: ({ message }) =>
      trace.emit('smdp', { event: 'failure', where: 'es9+', code: 'network', detail: message }),
  });
  for (const name of [host, 'localhost']) smdp.answerTo(`${name}:${server.port}`);
  const control = await serveSmdpControl(smdp, controlPort, () => ({ url: server.url }));
  const shown = { address: smdp.address, oid: smdp.oid, url: server.url, controlUrl: control.url };
  const more = control.url === defaultControl ? '' : ` --smdp ${control.url}`;
  output.result({ event: 'smdp-serving', ...shown }, [
    `SM-DP+ ${smdp.address} (${smdp.oid}); Ctrl-C ends it`,
    `  ES9+       ${server.url}, also as ${host}:${server.port} in activation codes`,
    `  control    ${control.url}`,
    `  an order   npx xs-ipa smdp order --iccid 8900000000000000052${more}`,
    `  at an eIM  npx xs-ipa eim serve --smdp ${smdp.address}=${server.url}`,
  ]);
  await interrupted();
  await control.close();
  await server.close();
}

/** Plain HTTP stays on this computer. @throws UsageError */
export function checkHttp({ http, host }: ServeOptions): void {
  if (http && host !== '127.0.0.1' && host !== 'localhost')
    throw new UsageError('--http is for 127.0.0.1 only: leave --host out, or --http');
}

/** @throws UsageError when the certificates have no SM-DP+ */
function chosen(pki: Pki, fqdn: string | undefined): SmdpCredentials {
  const found = fqdn === undefined ? pki.smdps.at(0) : pki.smdps.find(({ address }) => address === fqdn);
  if (found) return found;
  const { ci } = pki;
  if (!ci)
    throw new UsageError(
      'these certificates have no SM-DP+, and the key of their CI is not there: make others with `npx xs-ipa pki make`',
    );
  return makeSmdp(ci, { address: fqdn ?? 'smdp.example.com', oid: '2.999.10' }, Date.now());
}

async function order(options: OrderOptions, output: Output): Promise<void> {
  const { smdp, profile, smds, eid: forEid } = options;
  if (options.iccid === undefined && profile === undefined)
    throw new UsageError('name the profile: --iccid for one that is made, or --profile FILE');
  if (options.default && forEid === undefined) throw new UsageError('--default needs --eid');
  if (smds !== undefined && forEid === undefined) throw new UsageError('--smds needs --eid');
  const client = new ServerControlClient(smdp, kind);
  const view = await client.order({
    iccid: options.iccid,
    ...(profile !== undefined && { profile: hex(readBytes(profile, 'the profile')) }),
    profileSize: options.profileSize,
    imsi: options.imsi,
    profileName: options.name,
    serviceProviderName: options.provider,
    profileClass: options.class,
    profilePolicyRules: options.ppr as ('pprUpdateControl' | 'ppr1' | 'ppr2')[],
    fallbackAllowed: options.fallbackAllowed,
    ecallIndication: options.emergency,
    eid: forEid,
    matchingId: options.default ? '' : options.matchingId,
    confirmationCode: options.confirmationCode,
    released: options.released,
    ...(options.expires !== undefined && { expires: Date.now() + options.expires * 1000 }),
    maxAttempts: options.attempts,
    replaceSessionKeys: options.replaceSessionKeys,
    oneBinding: options.oneBinding,
    provoke: options.provoke,
    ...(options.notify !== undefined && {
      notifications: [{ events: NotificationEventNames, address: options.notify }],
    }),
  });
  if (smds !== undefined) {
    const { address } = (await client.call('GET', '/status')) as { address: string };
    const event = { eid: forEid, eventId: view.matchingId, rspServerAddress: address };
    await new ServerControlClient(smds, 'SM-DS').call('POST', '/events', event);
  }
  output.result(view, [
    view.activationCode === undefined
      ? `${view.iccid}: ${view.state}, for ${view.eid} from its default SM-DP+`
      : `${view.iccid}: ${view.state}, activation code ${view.activationCode}`,
  ]);
}
