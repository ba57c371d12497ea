import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { SdkError } from './sdk.js';

/** What our own declarations stand for (hal/xs/moddable/typings/sdk.d.ts), in the SDK's. */
const INSTEAD_OF_OURS = [
  'crypt.d.ts',
  'embedded/storage/key-value.d.ts',
  'embedded_network/interface/wifi.d.ts',
];
const OURS = 'typings/sdk.d.ts';
const FROM_NPM = '../../../node_modules/@moddable/typings/';

/**
 * Writes a tsconfig that checks `hal/xs/moddable` and `firmware` as `npm run typecheck` does, but against the declarations of
 * this SDK: instead of those from npm, and instead of ours for what npm lacks.
 *
 * @param moddable `$MODDABLE`
 * @returns its path
 * @throws {SdkError} when ours cannot be read
 */
export function writeSdkConfig(root: string, moddable: string): string {
  const folder = join(root, 'hal', 'xs', 'moddable');
  const path = join(folder, 'tsconfig.json');
  const { config, error } = ts.parseConfigFileTextToJson(path, readFileSync(path, 'utf8'));
  if (error) throw new SdkError(`${path}: ${ts.flattenDiagnosticMessageText(error.messageText, '\n')}`);
  const {
    extends: base,
    compilerOptions,
    files,
    include,
  } = config as {
    extends: string;
    compilerOptions: object;
    files: string[];
    include: string[];
  };
  const strange = files.find((file) => !file.startsWith(FROM_NPM));
  if (strange) throw new SdkError(`${path} has a file that is not of @moddable/typings: ${strange}`);
  const declarations = [...files.map((file) => file.slice(FROM_NPM.length)), ...INSTEAD_OF_OURS];
  const target = join(root, 'node_modules', '.cache', 'xs-ipa', 'sdk-types');
  mkdirSync(target, { recursive: true });
  const written = join(target, 'tsconfig.json');
  const content = {
    extends: join(folder, base),
    compilerOptions,
    files: [
      join(moddable, 'xs', 'includes', 'xs.d.ts'),
      ...declarations.map((file) => join(moddable, 'typings', file)),
    ],
    include: include.map((name) => join(folder, name)),
    exclude: [join(folder, OURS)],
  };
  writeFileSync(written, `${JSON.stringify(content, null, 2)}\n`);
  return written;
}
