import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { decode, EimConfigurationData, hex } from '../asn1/index.js';
import { EimControlClient } from '../eim/index.js';
import { defaultControl } from './eim-orders.js';
import { eid } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { table } from './show.js';

interface ConfigurationOptions extends OutputOptions {
  eim: string;
  eid?: string;
  token: boolean;
  certificate?: boolean;
  out?: string;
}

/** What a running eIM can be asked for beside orders. */
export function registerEimMore(eim: Command, output: (options: OutputOptions) => Output): void {
  eim
    .command('devices')
    .description('what the running eIM knows of its devices')
    .option('--eim <url>', 'control address of the running eIM', defaultControl)
    .option('--json', 'as one JSON object')
    .action(async (options: OutputOptions & { eim: string }) => devices(options.eim, output(options)));
  eim
    .command('configuration')
    .description('EimConfigurationData of the running eIM, for AddInitialEim and addEim')
    .option('--eim <url>', 'control address of the running eIM', defaultControl)
    .option('--eid <digits>', 'for this device: the counter goes on from its last package', eid)
    .option('--no-token', 'ask for no association token')
    .option('--certificate', "the eIM's certificate in it instead of its public key")
    .option('--out <file>', 'write the DER to a file')
    .option('--json', 'as one JSON object')
    .action(async (options: ConfigurationOptions) => configuration(options, output(options)));
}

async function devices(url: string, output: Output): Promise<void> {
  const list = await new EimControlClient(url).devices();
  const rows = list.map((device) => [
    device.eid,
    device.onboarded ? 'verified' : 'new',
    String(device.counterValue),
    `${device.waiting}${device.outstanding ? ' + 1 sent' : ''}`,
    String(device.results),
    device.lastPoll === undefined ? 'never' : new Date(device.lastPoll).toISOString(),
  ]);
  const head = ['EID', 'eUICC', 'counter', 'waiting', 'results', 'last poll'];
  output.result({ devices: list }, list.length > 0 ? table([head, ...rows]) : ['no device has polled yet']);
}

async function configuration(options: ConfigurationOptions, output: Output): Promise<void> {
  const der = await new EimControlClient(options.eim).eimConfiguration({
    eid: options.eid,
    token: options.token,
    key: options.certificate ? 'certificate' : 'publicKey',
  });
  if (options.out !== undefined) writeFileSync(options.out, der);
  const decoded = EimConfigurationData.show(decode(EimConfigurationData, der));
  output.result(
    { eimConfiguration: hex(der), decoded, out: options.out },
    options.out === undefined ? [hex(der)] : [`${der.length} bytes in ${options.out}`],
  );
}
