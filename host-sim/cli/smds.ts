import type { Command } from 'commander';
import { RealClock } from '../clock.js';
import { makeSmds } from '../pki/index.js';
import { defaultSmdsControlPort, ServerControlClient, serveRsp, serveSmdsControl } from '../smdp/index.js';
import { Smds } from '../smds/index.js';
import { Trace } from '../trace/index.js';
import { StateFolder, secureRandom } from './folder.js';
import { eid, UsageError } from './operands.js';
import { interrupted, type Output, type OutputOptions } from './output.js';
import { checkHttp, type ServeOptions, serveCommand } from './smdp.js';

const defaultControl = `http://127.0.0.1:${defaultSmdsControlPort}`;

export function registerSmds(program: Command, output: (options: OutputOptions) => Output): void {
  const smds = program.command('smds').description('a running SM-DS, and its events');
  serveCommand(smds, 'SM-DS', defaultSmdsControlPort, 8444).action(async (options: ServeOptions) =>
    serve(options, output(options)),
  );
  smds
    .command('register')
    .description('an event: which SM-DP+ has something for an eUICC (`smdp order --smds` does it, too)')
    .requiredOption('--eid <digits>', 'the eUICC', eid)
    .requiredOption('--event-id <text>', 'EventID: the matchingId of the order')
    .requiredOption('--address <fqdn>', 'address of the SM-DP+')
    .option('--smds <url>', 'control address of the running SM-DS', defaultControl)
    .option('--json', 'as one JSON object')
    .action(
      async (options: OutputOptions & { eid: string; eventId: string; address: string; smds: string }) => {
        const event = { eid: options.eid, eventId: options.eventId, rspServerAddress: options.address };
        await new ServerControlClient(options.smds, 'SM-DS').call('POST', '/events', event);
        output(options).result(event, [`event ${event.eventId} waits for ${event.eid}`]);
      },
    );
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  const { state, http, host, port, controlPort, fqdn } = options;
  const clock = new RealClock();
  const trace = new Trace(clock);
  trace.subscribe((event) => output.event(event));
  const folder = new StateFolder(state);
  const pki = await folder.pki(output, options.pki);
  checkHttp(options);
  const found = fqdn === undefined ? pki.smdss.at(0) : pki.smdss.find(({ address }) => address === fqdn);
  if (!found && !pki.ci) {
    throw new UsageError(
      'these certificates have no SM-DS, and the key of their CI is not there: make others with `npx xs-ipa pki make`',
    );
  }
  const credentials =
    found ?? makeSmds(pki.ci!, { address: fqdn ?? 'smds.example.com', oid: '2.999.15' }, Date.now());
  folder.lock('smds', 'the SM-DS');
  const smds = await folder.open(
    'smds.cbor',
    (store) =>
      new Smds({
        credentials,
        ciCertificates: pki.ciCertificates,
        store,
        clock,
        random: secureRandom,
        observe: trace.observer('smds'),
      }),
  );
  for (const code of options.provoke) smds.provoke(code);
  const server = await serveRsp({
    server: smds,
    port,
    host,
    ...(!http && { tls: credentials.tls }),
    onProblem: ({ message }) =>
      trace.emit('smds', { event: 'failure', where: 'es11', code: 'network', detail: message }),
  });
  for (const name of [host, 'localhost']) smds.answerTo(`${name}:${server.port}`);
  const control = await serveSmdsControl(smds, controlPort, () => ({ url: server.url }));
  const more = control.url === defaultControl ? '' : ` --smds ${control.url}`;
  output.result({ event: 'smds-serving', address: smds.address, url: server.url, controlUrl: control.url }, [
    `SM-DS ${smds.address}; Ctrl-C ends it`,
    `  ES11       ${server.url}, also as ${host}:${server.port}`,
    `  control    ${control.url}`,
    `  an event   npx xs-ipa smds register --eid … --event-id … --address smdp.example.com${more}`,
  ]);
  await interrupted();
  await control.close();
  await server.close();
}
