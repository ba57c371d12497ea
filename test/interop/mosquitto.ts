import { pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Program } from '../program.js';

/** A Mosquitto of our own on 127.0.0.1, with its configuration in a folder that goes away with it. */
export class Mosquitto {
  readonly port: number;
  readonly log: Program;
  readonly #folder: string;

  private constructor(port: number, log: Program, folder: string) {
    this.port = port;
    this.log = log;
    this.#folder = folder;
  }

  /**
   * @param path of the program
   * @param settings lines of mosquitto.conf; `@name` stands for the path of a file
   * @param files by name, written beside the configuration
   */
  static async start(
    path: string,
    settings: readonly string[],
    files: Readonly<Record<string, string>> = {},
  ): Promise<Mosquitto> {
    for (let attempt = 1; ; attempt++) {
      const folder = mkdtempSync(join(tmpdir(), 'xs-ipa-mosquitto-'));
      const port = await freePort();
      for (const [name, text] of Object.entries(files))
        writeFileSync(join(folder, name), text, { mode: 0o600 });
      // Started by root it would become a user that cannot read these files.
      const user = `user ${userInfo().username}`;
      const configuration = [`listener ${port} 127.0.0.1`, user, 'log_type all', ...settings].join('\n');
      const file = join(folder, 'mosquitto.conf');
      writeFileSync(file, `${configuration.replaceAll('@', `${folder}/`)}\n`);
      const log = new Program(path, ['-c', file]);
      const broker = new Mosquitto(port, log, folder);
      try {
        await log.line(/ running$/);
        return broker;
      } catch (error) {
        await broker.stop();
        // Somebody else may have taken the port in the meantime.
        if (attempt === 3) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    await this.log.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** A line of Mosquitto's password file. */
export function passwordLine(user: string, password: string): string {
  const salt = Buffer.from('twelve bytes');
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  return `${user}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`;
}
