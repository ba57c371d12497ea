import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { PACKAGES, tool } from '../installed.js';

/** What is missing on this computer. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Set where {@link enterNamespace} has led. */
const INSIDE = 'XS_IPA_WIRE';
/** Markers go to this port. */
const MARKERS = 4;

const NEEDED = ['unshare', 'ip', 'dumpcap', 'tshark'] as const;

/** @throws WireError with the Debian package that brings it */
export function needed(name: (typeof NEEDED)[number]): string {
  const path = tool(name);
  if (path === undefined) throw new WireError(`${name} not found: apt-get install ${PACKAGES[name]}`);
  return path;
}

export function isInside(): boolean {
  return process.env[INSIDE] !== undefined;
}

/**
 * Starts this very program again with the same arguments in a network of its own, where nobody else sends anything and ports
 * are free; every TLS connection of it writes its keys to a file.
 * @returns its exit code
 */
export async function enterNamespace(keyLog: string): Promise<number> {
  for (const name of NEEDED) needed(name);
  const way = process.getuid?.() === 0 ? '-n' : '-rn';
  const node = [process.execPath, '--no-warnings', `--tls-keylog=${keyLog}`, ...process.argv.slice(1)];
  const child = spawn(needed('unshare'), [way, ...node], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: keyLog },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** Brings up a loopback with the frames of a real network: 1500 bytes, one TCP segment in each. @throws WireError */
export function bringUp(): { keyLog: string } {
  const keyLog = process.env[INSIDE];
  if (keyLog === undefined) throw new WireError('not in a network of its own');
  for (const what of [['mtu', '1500'], ['gso_max_segs', '1'], ['up']]) {
    const { status, stderr } = spawnSync(needed('ip'), ['link', 'set', 'lo', ...what], { encoding: 'utf8' });
    if (status !== 0) throw new WireError(`ip link set lo ${what.join(' ')}: ${stderr.trim()}`);
  }
  return { keyLog };
}

/** Milliseconds of silence after which nothing follows: TCP delays an acknowledgement by 40 ms to 200 ms. */
const QUIET = 300;

/** A capture of all that passes the loopback, and marks in it. */
export class Capture {
  readonly file: string;
  readonly #child: ChildProcess;
  readonly #marker: Socket;

  private constructor(file: string, child: ChildProcess, marker: Socket) {
    this.file = file;
    this.#child = child;
    this.#marker = marker;
  }

  /** @throws WireError */
  static async start(file: string): Promise<Capture> {
    const child = spawn(needed('dumpcap'), ['-i', 'lo', '-q', '-s', '0', '-w', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said.push(text);
        if (/^File: /m.test(said.join(''))) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new WireError(`dumpcap: ${said.join('').trim()}`)));
    });
    const marker = createSocket('udp4');
    await new Promise<void>((resolve) => marker.bind(MARKERS, '127.0.0.1', resolve));
    const capture = new Capture(file, child, marker);
    // It says so a moment before it begins.
    await quiet();
    return capture;
  }

  /** Everything before is on the wire, nothing after. An empty name ends what was begun. */
  async mark(name: string): Promise<void> {
    await quiet();
    await new Promise<void>((resolve, reject) =>
      this.#marker.send(name, MARKERS, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    );
  }

  async stop(): Promise<void> {
    await quiet();
    this.#marker.close();
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await ended;
  }
}

function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, QUIET));
}

/** Keys that tshark needs beside those of the key log. */
export interface Decoding {
  keyLog: string;
  psk: Uint8Array;
  /** What is spoken on which port, in tshark's words: `tcp.port==8883,tls`. */
  ports: readonly string[];
}

/** Fields of each frame that `filter` lets through; several values of a field are separated by commas. @throws WireError */
export async function fieldsOf(
  file: string,
  { keyLog, psk, ports }: Decoding,
  fields: readonly string[],
  filter = '',
): Promise<string[][]> {
  const parameters = ['-r', file, '-2', '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a'];
  parameters.push('-o', `tls.keylog_file:${keyLog}`, '-o', `dtls.psk:${Buffer.from(psk).toString('hex')}`);
  for (const port of ports) parameters.push('-d', port);
  if (filter !== '') parameters.push('-Y', filter);
  for (const field of fields) parameters.push('-e', field);
  const child = spawn(needed('tshark'), parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new WireError(`tshark: ${said.trim()}`);
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

export { MARKERS };
