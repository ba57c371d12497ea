import { readFileSync } from 'node:fs';
import { Command, CommanderError, Help } from 'commander';
import { registerCard } from './card.js';
import { registerDemo } from './demo.js';
import { registerDevice } from './device.js';
import { registerEimMore } from './eim-more.js';
import { registerOrders } from './eim-orders.js';
import { registerServe } from './eim-serve.js';
import { registerModem } from './modem.js';
import { UsageError } from './operands.js';
import { fail, Output, type OutputOptions } from './output.js';
import { registerPki } from './pki.js';
import { registerSmdp } from './smdp.js';
import { registerSmds } from './smds.js';

const json = process.argv.includes('--json');

/** Of the package this program, dist/xs-ipa.js, is part of. */
function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const help = new Help();
// Commands take these settings over from here.
const program = new Command('xs-ipa')
  .description('SGP.32 IoT Profile Assistant, and everything around it on a laptop')
  .version(version())
  .configureHelp({
    optionDescription: (option) => {
      // A list is shown as it is written; one that may be given several times has none by default.
      const { defaultValue: list } = option;
      if (Array.isArray(list) && list.length > 0) option.defaultValueDescription = list.join(',');
      const text = help.optionDescription(option).replace(/ \(default: \[\]\)$/, '');
      return `${text}${option.mandatory ? ' (required)' : ''}`;
    },
  })
  .configureOutput({
    // All errors are told by fail().
    outputError: () => {},
  })
  .exitOverride();

/** What commander ends with: help and version, which are no errors, or a mistake in the words of the command. */
function ended(error: CommanderError): void {
  if (error.exitCode === 0) return;
  if (error.code === 'commander.help') {
    // A command was missing; commander has shown which there are.
    process.exitCode = 1;
    return;
  }
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  fail(new UsageError(`${text}; add --help for what there is`, { cause: error }), json);
}

const output = (options: OutputOptions) => new Output(options);
registerDemo(program, output);
registerDevice(program, output);
registerModem(program, output);
const eim = program.command('eim').description('a running eIM, and orders to the devices behind it');
registerServe(eim, output);
registerOrders(eim, output);
registerEimMore(eim, output);
registerSmdp(program, output);
registerSmds(program, output);
registerCard(program, output);
registerPki(program, output);

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) ended(error);
  else fail(error, json);
});
