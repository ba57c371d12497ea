import { accessSync, constants, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { type BuildOptions, boards, buildProgram, LEFT_OUT, type LeftOut, link } from './build.js';
import { runEnable } from './enable.js';
import { withPreload } from './preload.js';
import { findSdk, findSources, runTool, SdkError } from './sdk.js';
import { writeSdkConfig } from './types.js';
import { LINKS, type LinkUnderTest, TRUSTS, type TrustUnderTest } from './way.js';

/** This file is part of dist/firmware.js. */
const root = join(fileURLToPath(import.meta.url), '..', '..');

interface CommonOptions {
  tls?: boolean;
  mqtt: 'own' | 'sdk';
  without: LeftOut[];
  json?: boolean;
  verbose?: boolean;
}

interface DeviceOptions extends CommonOptions {
  board: string[];
  all?: boolean;
}

interface LinOptions extends CommonOptions {
  build?: boolean;
  broker: 'auto' | 'mosquitto' | 'embedded';
  link: LinkUnderTest;
  trust: TrustUnderTest;
}

const PLATFORMS = ['esp32', 'esp32/esp32c3', 'esp32/esp32s3'];

const program = new Command('firmware').description(
  'What the Moddable SDK makes of the firmware. Needs $MODDABLE, with its tools built (docs/firmware.md).',
);

program
  .command('device')
  .description(
    'compiles and links the firmware for a device up to mc.xs.c and says what it takes of its flash',
  )
  .argument('[platforms...]', `platforms of the SDK, of the manifest at the top (default: esp32/esp32c3)`)
  .option(
    '--board <name>',
    'a board of firmware/boards; can be repeated',
    (name, all: string[]) => [...all, name],
    [],
  )
  .option('--all', `${PLATFORMS.join(', ')}, and every board`)
  .option('--tls', 'with TLS')
  .addOption(mqttOption())
  .addOption(withoutOption())
  .option('--json', 'one JSON object per target')
  .option('-v, --verbose', "the tools' own output, too")
  .action(device);

program
  .command('lin')
  .description(
    "builds the firmware as a program for Linux on the SDK's own serial, TCP and timer modules, and runs it: modem on a pty,\nthe eIM; it associates, lists the profiles, enables one and reports that",
  )
  .addOption(mqttOption())
  .addOption(
    new Option('--broker <name>', 'auto: Mosquitto where it is installed')
      .choices(['auto', 'mosquitto', 'embedded'])
      .default('auto'),
  )
  .addOption(withoutOption())
  .addOption(
    new Option(
      '--link <name>',
      'the way to the eIM; https brings TLS into the program, http and coap have no security',
    )
      .choices([...LINKS])
      .default('mqtt'),
  )
  .addOption(
    new Option(
      '--trust <what>',
      "with https: the server's key, its certificate, its CA, or somebody else's key",
    )
      .choices([...TRUSTS])
      .default('key'),
  )
  .option('--build', 'build only')
  .option('--json', 'one JSON object')
  .option('-v, --verbose', "the tools' own output and what the program says, too")
  .action(lin);

program
  .command('preload')
  .description(
    'writes the lists of modules and of preloaded ones into manifest.json; for everyone who has added a module',
  )
  .action(() =>
    writeFileSync(join(root, 'manifest.json'), `${JSON.stringify(withPreload(root), null, 2)}\n`),
  );

program
  .command('types')
  .description(
    "checks the code on the SDK's modules against the SDK's own declarations; its tools need not be built",
  )
  .action(types);

function mqttOption(): Option {
  return new Option('--mqtt <client>', "this project's MQTT client, or the SDK's")
    .choices(['own', 'sdk'])
    .default('own');
}

function withoutOption(): Option {
  return new Option('--without <name>', 'a link that is left out of flash; can be repeated')
    .choices([...LEFT_OUT])
    .argParser((name: string, all: string[]) => [...all, name])
    .default([]);
}

async function device(platforms: string[], options: DeviceOptions): Promise<void> {
  const sdk = findSdk(root);
  const known = boards(root);
  const targets: { platform: string; board?: string }[] = platforms.map((platform) => ({ platform }));
  if (options.all) targets.push(...PLATFORMS.map((platform) => ({ platform })));
  for (const board of options.all ? Object.keys(known) : options.board) {
    // An unknown one is refused by link(), which says which there are.
    targets.push({ platform: known[board] ?? 'esp32', board });
  }
  if (targets.length === 0) targets.push({ platform: 'esp32/esp32c3' });
  for (const { platform, board } of targets) {
    if (platform !== 'lin' && platform.split('/')[0] !== 'esp32') {
      throw new SdkError(`the firmware has no platform "${platform}": ${[...PLATFORMS, 'lin'].join(', ')}`);
    }
    const { image, rooms, source, notFrozen } = await link(root, sdk, platform, {
      board,
      ...common(options),
    });
    const { slots, slotBytes, bytecode, whole, aliases, keys, creation } = image;
    if (options.json) {
      const { tls = false, mqtt, without } = options;
      const target = { platform, board: board ?? null, tls, mqtt, without, sdk: sdk.version };
      print({
        ...target,
        bytecode,
        rooms,
        slots,
        slotBytes,
        aliases,
        keys,
        creation,
        whole,
        notFrozen,
        source,
      });
      continue;
    }
    say(`${platform}${board ? `, board ${board}` : ''} (SDK ${sdk.version})`);
    say(`  bytecode   ${bytes(bytecode)}`);
    const parts = Object.entries(rooms).map(([room, size]) => `${room} ${kilo(size)}`);
    say(`             before linking: ${parts.join(', ')}`);
    say(`  preloaded  ${slots} slots of 16 bytes = ${bytes(slotBytes)} of flash`);
    say(`  in RAM     ${aliases} pointers to preloaded objects that can change = ${bytes(4 * aliases)}`);
    const loaded = Object.keys(whole).filter(
      (name) => /^(ipa|hal|firmware)\//.test(name) && name !== 'firmware/main',
    );
    if (loaded.length > 0)
      say(`  NOT preloaded by name, run "npm run firmware:preload": ${loaded.join(', ')}`);
    say(`  creation   ${bytes(creation.static)} static, stack ${creation.stack} slots`);
    say(`  ${source}`);
  }
}

async function lin(options: LinOptions): Promise<void> {
  const sdk = findSdk(root);
  const { link: way } = options;
  const tls = way.startsWith('https');
  const { program: path, image } = await buildProgram(root, sdk, { ...common(options), tls });
  if (options.build) {
    if (options.json) print({ program: path, sdk: sdk.version, mqtt: options.mqtt });
    else say(path);
    return;
  }
  const socat = find('socat');
  if (!socat) throw new SdkError('socat, which makes the pty, is not installed (Debian: apt install socat)');
  const mosquitto = options.broker === 'embedded' ? undefined : find('mosquitto');
  if (options.broker === 'mosquitto' && !mosquitto) {
    throw new SdkError('Mosquitto is not installed (Debian: apt install mosquitto)');
  }
  const onLine = options.verbose ? note : undefined;
  const result = await runEnable({
    program: path,
    socat,
    mosquitto,
    link: way,
    trust: options.trust,
    onLine,
  });
  if (options.json)
    print({ sdk: sdk.version, link: way, mqtt: options.mqtt, bytecode: image.bytecode, ...result });
  else {
    say(
      `The firmware on XS ${result.machine?.xs ?? '?'} (SDK ${sdk.version}), link: ${way}${result.broker === undefined ? '' : `, MQTT client: ${options.mqtt}, broker: ${result.broker}`}`,
    );
    for (const [name, outcome] of Object.entries(result.outcomes)) {
      say(`  ${name.padEnd(16)} ${outcome.ok ? 'ok, ' : ''}${outcome.outcome}`);
    }
    say(`  enabled          ${result.enabled ?? 'none'}, after ${(result.milliseconds / 1000).toFixed(1)} s`);
    if (result.machine) {
      const { stackPeak, stack, slotsPeak, slots, chunksPeak, chunks } = result.machine;
      say(`  stack            ${stackPeak} of ${stack} slots at most`);
      say(
        `  heap             ${slotsPeak} slots and ${chunksPeak} bytes of chunks at most, garbage included; ${slots} and ${chunks} alive at the end`,
      );
    }
  }
  process.exitCode = result.ok ? 0 : 1;
}

async function types(): Promise<void> {
  const { path, version } = findSources(process.env);
  const sdk = { path, version, environment: process.env };
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await runTool(sdk, process.execPath, [compiler, '--noEmit', '--project', writeSdkConfig(root, path)]);
  say(`hal/xs and firmware agree with the declarations of SDK ${version}`);
}

function common({ tls, mqtt, without, verbose }: CommonOptions): BuildOptions {
  return { tls, mqtt, without, onLine: verbose ? note : undefined };
}

/** Debian keeps servers out of a plain user's PATH. */
function find(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function print(value: object): void {
  say(JSON.stringify(value));
}

function bytes(count: number): string {
  return `${count.toLocaleString('en')} bytes`;
}

function kilo(count: number): string {
  return `${(count / 1024).toFixed(1)} KB`;
}

try {
  await program.parseAsync();
} catch (error) {
  const known = error instanceof SdkError;
  if (process.argv.includes('--json')) print({ event: 'error', message: (error as Error).message });
  else note(`firmware: ${(error as Error).message}`);
  if (!known) note((error as Error).stack ?? '');
  process.exitCode = 1;
}
