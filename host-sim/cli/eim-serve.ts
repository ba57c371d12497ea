import { type Command, Option } from 'commander';
import { XsIpaError } from '../../hal/contracts/index.js';
import { hex } from '../asn1/index.js';
import { RealClock } from '../clock.js';
import { defaultControlPort, Eim, EimError, MqttEim, rspClient, serveControl } from '../eim/index.js';
import type { EimCredentials } from '../pki/index.js';
import { Trace } from '../trace/index.js';
import { type BrokerOptions, checkBroker, clientTls, reachBroker, startBroker } from './eim-broker.js';
import { addCoapOptions, type CoapOptions, preSharedKeys, startCoap, withHint } from './eim-coap.js';
import { addHttpsOptions, startHttps } from './eim-https.js';
import { eimTls, type TlsOptions } from './eim-tls.js';
import { defaultState, StateFolder, secureRandom } from './folder.js';
import { collect, eid, readCertificate, serverRoute, topicPrefixes, topicsOf, whole } from './operands.js';
import { interrupted, type Output, type OutputOptions } from './output.js';
import { defaultBroker } from './reach.js';

interface ServeOptions extends OutputOptions, BrokerOptions, CoapOptions, TlsOptions {
  state: string;
  pki?: string;
  controlPort: number;
  eimId?: string;
  fqdn?: string;
  accept: 'any' | 'listed';
  device: string[];
  trust: string[];
  smdp: string[];
  indirect?: boolean;
  topics?: string;
}

export function registerServe(eim: Command, output: (options: OutputOptions) => Output): void {
  const port = whole(0, 65_535);
  const serving = eim
    .command('serve')
    .summary('run an eIM, with a broker of its own')
    .description(
      'Runs an eIM until Ctrl-C. It brings an MQTT broker of its own unless --broker names one.\nThe other `eim` commands talk to it through its control port. Devices, counters and waiting orders survive a restart.',
    )
    .option('--state <dir>', 'folder for everything that survives a restart', defaultState)
    .option('--pki <dir>', "certificates and keys (default: pki in --state's folder, made when missing)")
    .option('--eim-id <id>', 'which eIM of the certificates (default: the only one)')
    .option('--fqdn <name>', 'eimFqdn in its configuration (default: from the certificate)')
    .option('--broker <url>', 'mqtt://host:port or mqtts://host:port of a running broker')
    .option('--broker-port <port>', 'port of the embedded broker; 0 takes a free one', port, 1883)
    .option(
      '--control-port <port>',
      'port of the control interface; 0 takes a free one',
      port,
      defaultControlPort,
    )
    .option(
      '--host <address>',
      'where the broker, HTTPS and CoAP listen; 0.0.0.0 for devices elsewhere',
      '127.0.0.1',
    );
  addCoapOptions(addHttpsOptions(serving))
    .option('--topics <prefix>', 'prefix of the topics, instead of esipa')
    .addOption(
      new Option('--accept <who>', 'any: every device; listed: those of --device and of earlier orders')
        .choices(['any', 'listed'])
        .default('any'),
    )
    .option('--device <eid>', 'with --accept listed: a device; may be given several times', addDevice, [])
    .option('--trust <file>', 'CI certificate of further eUICCs, PEM or DER; several times', collect, [])
    .option(
      '--smdp <name=url>',
      'where an SM-DP+ or SM-DS really is, for example smdp.example.com=https://127.0.0.1:8443; several times',
      collect,
      [],
    )
    .option('--indirect', 'devices are told to download profiles through this eIM')
    .option('--ca <file>', "PEM of the CA of --broker's certificate")
    .option('--cert <file>', 'PEM of the client certificate for --broker')
    .option('--key <file>', "PEM of the client certificate's key")
    .option('--user <name>', 'user at the broker; the embedded one then lets nobody else in')
    .option('--password <text>', 'password at the broker')
    .option('--tls-cert <file>', "PEM of the embedded broker's certificate: makes it mqtts://")
    .option('--tls-key <file>', "PEM of that certificate's key")
    .option('--tls-ca <file>', 'PEM of a CA; clients of the embedded broker need a certificate of it')
    .option('--json', 'one JSON object per event (docs/events.md)')
    .option('-v, --verbose', 'more of each event')
    .option('-q, --quiet', 'failures only')
    .action(async (options: ServeOptions) => serve(options, output(options)));
}

const addDevice = (text: string, before: string[]): string[] => [...before, eid(text)];

async function serve(options: ServeOptions, output: Output): Promise<void> {
  const { accept, topics: prefix = 'esipa' } = options;
  checkBroker(options);
  topicPrefixes([prefix]);
  preSharedKeys(options);
  const trusted = options.trust.map(readCertificate);
  const routes = Object.fromEntries(options.smdp.map((one) => serverRoute(one)));
  await reachBroker(options, output);
  const clock = new RealClock();
  const trace = new Trace(clock);
  trace.subscribe((event) => output.event(event));

  const folder = new StateFolder(options.state);
  const { eimId, fqdn } = options;
  const pki = await folder.pki(output, options.pki, { eim: { eimId, fqdn } });
  const credentials = folder.eim(output, pki, options.pki, { eimId, fqdn });
  const file = stateFile(credentials);
  folder.lock(file, `the eIM ${credentials.eimId}`);
  const tls = eimTls(options, { credentials, pki, now: clock.now });
  const eim = await folder.open(
    `${file}.cbor`,
    (store) =>
      new Eim({
        credentials,
        ciCertificates: [...pki.ciCertificates, ...trusted],
        store,
        clock,
        random: secureRandom,
        observe: trace.observer('eim'),
        accept,
        connect: rspClient({ routes, ciCertificates: pki.ciCertificates }),
      }),
  );
  for (const listed of options.device) eim.addDevice(listed);

  const broker = await startBroker(options, output, trace.observer('broker'));
  const { url } = broker;
  const topics = topicsOf(prefix);
  const link = new MqttEim({
    eim,
    url,
    username: options.user,
    password: options.password,
    tls: clientTls(options),
    topics,
    onProblem: ({ code, message }) =>
      trace.emit('eim', { event: 'failure', where: 'broker', code, detail: message }),
  });
  await output.during(`connecting to ${url}`, link.open()).catch((error: unknown) => {
    if (!(error instanceof EimError)) throw error;
    throw new XsIpaError(error.code, `${error.message}; check --broker and the options for it`, {
      cause: error,
    });
  });
  const https = await startHttps(options, eim, tls.https, ({ code, message }) =>
    trace.emit('eim', { event: 'failure', where: 'https', code, detail: message }),
  );
  const coap = await startCoap(options, eim, tls.coaps, ({ code, message }) =>
    trace.emit('eim', { event: 'failure', where: 'coap', code, detail: message }),
  );
  const shown = {
    brokerUrl: url,
    topics,
    ...https?.shown,
    ...coap?.shown,
    eid: hex(pki.euicc.eid),
  };
  const control = await serveControl({
    eim,
    eimFqdn: credentials.eimFqdn,
    indirectProfileDownload: options.indirect,
    configuration: {
      trustedTls: tls.trustedTls,
      protocols: [
        ...(https ? (['eimRetrieveHttps'] as const) : []),
        ...(coap ? (['eimRetrieveCoaps', 'eimInjectCoaps'] as const) : []),
        'eimProprietary',
      ],
    },
    port: options.controlPort,
    status: () => shown,
  }).catch((error: unknown) => {
    throw withHint(error, 'choose another with --control-port');
  });
  announce(options, output, credentials, { ...shown, controlUrl: control.url });
  await interrupted();
  await control.close();
  await https?.close();
  await coap?.close();
  await link.close();
  eim.close();
  await broker.close();
}

function announce(
  { pki, state, topics: prefix, user, tlsCert, tlsCa }: ServeOptions,
  output: Output,
  { eimId, eimFqdn }: EimCredentials,
  shown: {
    brokerUrl: string;
    controlUrl: string;
    topics: { toEim: string; toIpa: string };
    httpsUrl?: string;
    coapUrl?: string;
    coapsUrl?: string;
    eid: string;
  },
): void {
  const { brokerUrl, httpsUrl, coapUrl, coapsUrl, controlUrl, topics } = shown;
  const coap = [coapUrl, coapsUrl].filter((url) => url !== undefined);
  const words = ['npx xs-ipa device'];
  if (pki !== undefined) words.push(`--pki ${pki}`);
  else if (state !== defaultState) words.push(`--pki ${new StateFolder(state).file('pki')}`);
  if (brokerUrl !== defaultBroker) words.push(`--broker ${brokerUrl}`);
  if (prefix !== undefined) words.push(`--topics ${prefix}`);
  if (tlsCert !== undefined) words.push('--ca …');
  if (tlsCa !== undefined) words.push('--cert … --key …');
  if (user !== undefined) words.push(`--user ${user} --password …`);
  words.push(`--eim-configuration ${controlUrl}`);
  const eim = controlUrl === `http://127.0.0.1:${defaultControlPort}` ? '' : ` --eim ${controlUrl}`;
  output.result({ event: 'eim-serving', eimId, eimFqdn, ...shown }, [
    `eIM ${eimId}; Ctrl-C ends it`,
    `  broker     ${brokerUrl}`,
    `  topics     ${topics.toEim} and ${topics.toIpa}`,
    ...(httpsUrl === undefined ? [] : [`  https      ${httpsUrl}`]),
    ...coap.map((url) => `  coap       ${url}`),
    `  control    ${controlUrl}`,
    `  a device   ${words.join(' ')}`,
    ...Object.entries({ https: httpsUrl, coaps: coapsUrl, coap: coapUrl })
      .filter(([, url]) => url !== undefined)
      .map(([transport, url]) => `  or         … --transport ${transport} --route ${eimFqdn}=${url}`),
    `  an order   npx xs-ipa eim list-profiles --eid ${shown.eid}${eim}`,
  ]);
}

/** One file per eIM; identifiers may have characters that file names must not have. */
function stateFile({ eimId }: EimCredentials): string {
  return `eim-${encodeURIComponent(eimId).replaceAll('*', '%2A')}`;
}
