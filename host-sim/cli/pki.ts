import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { makePki, savePki } from '../pki/index.js';
import { defaultEid, defaultEimId, eimNames, secureRandom } from './folder.js';
import { collect, eid, UsageError } from './operands.js';
import type { Output, OutputOptions } from './output.js';

interface MakeOptions extends OutputOptions {
  out: string;
  eid: string;
  eimId?: string[];
  force?: boolean;
}

/** What savePki writes. */
const ours = /^(ci(-\d+)?|eum|euicc|eim-\d+|smd[ps]-\d+-(auth|pb|tls))\.(crt|key)\.pem$/;

export function registerPki(program: Command, output: (options: OutputOptions) => Output): void {
  const pki = program.command('pki').description('test certificates and keys');
  pki
    .command('make')
    .description(
      'makes a test CI, EUM, eUICC, SM-DP+, SM-DS and one or several eIMs, as PEM files; for tests only',
    )
    .requiredOption('--out <dir>', 'folder to write to')
    .option('--eid <digits>', 'EID of the eUICC', eid, defaultEid)
    .option('--eim-id <id>', `an eIM; may be given several times (default: ${defaultEimId})`, collect)
    .option('--force', 'replace certificates and keys that are there')
    .option('--json', 'the result as one JSON object')
    .action(async (options: MakeOptions) => make(options, output(options)));
}

async function make(options: MakeOptions, output: Output): Promise<void> {
  const { out, eid, force } = options;
  const there = existsSync(out) ? readdirSync(out) : [];
  if (there.length > 0 && !force) {
    throw new UsageError(
      `${out} is not empty: keys that are overwritten are lost; name another folder, or add --force`,
    );
  }
  const ids = [...new Set(options.eimId ?? [defaultEimId])];
  const eims = ids.map((id) => eimNames(id));
  const pki = await makePki({ eid, eims, now: Date.now(), random: secureRandom });
  for (const name of there) if (ours.test(name)) rmSync(join(out, name));
  savePki(out, pki);
  const files = readdirSync(out)
    .filter((name) => ours.test(name))
    .sort();
  output.result({ out, eid, eims: ids, files }, [
    `eUICC ${eid}, eIM ${ids.join(', ')}: ${files.length} files in ${out}`,
    ...files.map((name) => `  ${join(out, name)}`),
  ]);
}
