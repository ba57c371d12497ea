import { Command } from 'commander';
import { registerDemo } from './demo.js';
import { fail, Output, type OutputOptions } from './output.js';

const program = new Command('xs-ipa')
  .description('SGP.32 IoT Profile Assistant, and everything around it on a laptop')
  .version('0.1.0')
  .showHelpAfterError('(add --help for what there is)');

const output = (options: OutputOptions) => new Output(options);
registerDemo(program, output);

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

program.parseAsync().catch((error: unknown) => fail(error, process.argv.includes('--json')));
