import { Command } from 'commander';
import { registerCard } from './card.js';
import { registerDemo } from './demo.js';
import { registerDevice } from './device.js';
import { registerEimMore } from './eim-more.js';
import { registerOrders } from './eim-orders.js';
import { registerServe } from './eim-serve.js';
import { registerModem } from './modem.js';
import { fail, Output, type OutputOptions } from './output.js';
import { registerPki } from './pki.js';

const program = new Command('xs-ipa')
  .description('SGP.32 IoT Profile Assistant, and everything around it on a laptop')
  .version('0.1.0')
  .showHelpAfterError('(add --help for what there is)');

const output = (options: OutputOptions) => new Output(options);
registerDemo(program, output);
registerDevice(program, output);
registerModem(program, output);
const eim = program.command('eim').description('a running eIM, and orders to the devices behind it');
registerServe(eim, output);
registerOrders(eim, output);
registerEimMore(eim, output);
registerCard(program, output);
registerPki(program, output);

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

program.parseAsync().catch((error: unknown) => fail(error, process.argv.includes('--json')));
