/**
 * What `npm test` runs: lint, type check, build, and all tests. The last line is `N passed, N failed`, with `, N skipped`
 * when some were; a step that fails counts as one failure. Plain JavaScript without packages, so that it can say what is
 * wrong when the rest does not even compile.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const HELP = `Usage: npm test [-- [options] [paths]]

Runs lint, type check, build and tests; ends with "N passed, N failed".

  --json    one JSON object on stdout instead of that line, everything else on stderr
  --help    this text

Paths and all other options go to vitest: npm test -- test/ipa -t Cursor

Environment:
  XS_IPA_NO_SKIP=1      missing programs are failures, not skips
  XS_IPA_FUZZ_COUNT=n   inputs per fuzz target (1000000)
  XS_IPA_FUZZ_SEED=n    where their random numbers start (1)
  XS_IPA_SGP26=folder   certificates and keys of GSMA SGP.26, for a test that is left out without them
`;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const skipReasons = join(root, 'test', 'skip-reasons.js');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const args = process.argv.slice(2);
const json = take('--json');
if (take('--help')) {
  process.stdout.write(HELP);
  process.exit(0);
}

/** Removes an option from the arguments. @returns was it there? */
function take(option) {
  const at = args.indexOf(option);
  if (at >= 0) args.splice(at, 1);
  return at >= 0;
}

function say(text) {
  (json ? process.stderr : process.stdout).write(`${text}\n`);
}

/** Runs a program with its output on ours. @returns undefined, or why it failed */
function run(command, parameters, shell = false) {
  return new Promise((done) => {
    const child = spawn(command, parameters, { cwd: root, shell, stdio: ['ignore', json ? 2 : 1, 2] });
    child.on('error', (error) => done(error.message));
    child.on('exit', (code, signal) =>
      done(code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
}

/** A script of package.json, where each command is written once. */
function npm(script) {
  const cli = process.env.npm_execpath;
  if (cli?.endsWith('.js')) return run(process.execPath, [cli, 'run', '--silent', script]);
  return run('npm', ['run', '--silent', script], process.platform === 'win32');
}

/** Runs the tests. @returns counts, and lists of what did not pass */
async function test() {
  const directory = mkdtempSync(join(tmpdir(), 'xs-ipa-test-'));
  const report = join(directory, 'report.json');
  try {
    if (!existsSync(vitest))
      return { passed: 0, failures: ['vitest is not installed: run "npm ci"'], skipped: [] };
    const reporters = [
      '--reporter=default',
      `--reporter=${skipReasons}`,
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const fault = await run(process.execPath, [vitest, 'run', ...reporters, ...args]);
    return count(readReport(report), fault);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function count(report, fault) {
  const result = { passed: 0, failures: [], skipped: [] };
  for (const file of report?.testResults ?? []) {
    const name = relative(root, file.name);
    for (const { status, fullName, meta } of file.assertionResults) {
      if (status === 'passed') result.passed++;
      else if (status === 'failed') result.failures.push(`${name}: ${fullName}`);
      else result.skipped.push(`${name}: ${withReason(fullName, meta?.skipReason)}`);
    }
    // A file that cannot be loaded has no tests to fail.
    const failed = file.assertionResults.some(({ status }) => status === 'failed');
    if (file.status === 'failed' && !failed)
      result.failures.push(`${name}: ${firstLine(file.message) || 'did not load'}`);
  }
  if (fault && result.failures.length === 0) {
    result.failures.push(
      `vitest: ${fault}: no test found, an error outside of all tests, or it crashed; see above`,
    );
  }
  if (!report && !fault) result.failures.push('vitest: wrote no report');
  return result;
}

/** The reason is in the title, or was given when the test was already running. */
function withReason(title, reason) {
  return title.includes('[skipped: ')
    ? title
    : `${title} [${reason ? `skipped: ${reason}` : 'no reason given'}]`;
}

function firstLine(text) {
  return (text ?? '').split('\n', 1)[0];
}

const failures = [];
const steps = {};
for (const step of ['lint', 'typecheck', 'build']) {
  const start = Date.now();
  say(`── ${step}`);
  const fault = await npm(step);
  steps[step] = fault ?? 'ok';
  say(
    fault ? `   ${step} FAILED: ${fault}; see above, or run "npm run ${step}"` : `   ok, ${seconds(start)}`,
  );
  if (fault) failures.push(`${step}: ${fault}`);
}

say('── test');
const { passed, failures: failedTests, skipped } = await test();
failures.push(...failedTests);

if (skipped.length > 0) say(`\nSkipped:\n${list(skipped)}`);
if (failures.length > 0) say(`\nFailed:\n${list(failures)}`);
const end = `${passed} passed, ${failures.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;
if (json) {
  process.stdout.write(`${JSON.stringify({ passed, failed: failures.length, steps, failures, skipped })}\n`);
} else {
  say(`\n${end}`);
}
process.exitCode = failures.length > 0 ? 1 : 0;

function seconds(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}

/** With a name pattern (-t) all other tests count as skipped, so that a list may be long. */
function list(lines) {
  const shown = lines.slice(0, 40).map((line) => `  ${line}`);
  if (lines.length > shown.length) shown.push(`  … and ${lines.length - shown.length} more`);
  return shown.join('\n');
}
