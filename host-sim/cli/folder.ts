import { randomInt } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { XsIpaError } from '../../hal/contracts/index.js';
import { type EimCredentials, loadPki, makeEim, makePki, type Pki, savePki } from '../pki/index.js';
import { FileStore } from '../store.js';
import { UsageError } from './operands.js';
import type { Output } from './output.js';

export const defaultState = '.xs-ipa';
/** Of the test eUICC, where nothing else is asked for. */
export const defaultEid = '89049032123451234512345678901235';
export const defaultEimId = 'eim.example.com';

/** Uniform in [0, 1), from the system's secure source: keys and transaction identifiers come from it. */
export function secureRandom(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/**
 * Where commands keep what must survive a restart: `pki/` the certificates and keys, `card.cbor` the virtual eUICC,
 * `ipa.json` the IPA's own notes, `eim-….cbor` one file per eIM.
 */
export class StateFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** One durable value. `use` may fail with what is stored; the error then names the file. */
  async open<T>(name: string, use: (store: FileStore) => T): Promise<T> {
    const store = new FileStore(this.file(name));
    try {
      return use(store);
    } catch (error) {
      if (error instanceof XsIpaError && (error.code === 'cardState' || error.code === 'state')) {
        const [what] = error.message.split(';');
        throw new XsIpaError(error.code, `${store.path}: ${what}; remove the file to start afresh`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  /**
   * Certificates and keys: of `dir`, or else of this folder, where a hierarchy is made when there is none yet.
   * @throws PkiError, UsageError
   */
  async pki(output: Output, dir?: string, wanted: { eid?: string; eim?: EimNames } = {}): Promise<Pki> {
    const path = dir ?? this.file('pki');
    if (dir !== undefined && !existsSync(dir)) {
      throw new UsageError(`there is no folder ${dir}: make one with \`npx xs-ipa pki make --out ${dir}\``);
    }
    if (!existsSync(path)) {
      await this.#make(path, wanted);
      output.note(`made test certificates and keys in ${path}`);
    }
    const pki = loadPki(path);
    const eid = Buffer.from(pki.euicc.eid).toString('hex');
    if (wanted.eid !== undefined && wanted.eid !== eid) {
      throw new UsageError(
        `the eUICC in ${path} has the EID ${eid}: leave --eid out, or make another with \`npx xs-ipa pki make\``,
      );
    }
    return pki;
  }

  /**
   * The eIM `eimId` of the certificates; without a name the only one there is, or in this folder's own `pki/` the first
   * one. There an eIM that is missing is made.
   * @throws UsageError
   */
  eim(output: Output, pki: Pki, dir: string | undefined, { eimId, fqdn }: EimNames): EimCredentials {
    const path = dir ?? this.file('pki');
    const ids = pki.eims.map((eim) => eim.eimId);
    if (eimId === undefined && pki.eims.length !== 1 && (dir !== undefined || pki.eims.length === 0)) {
      const hint =
        ids.length > 0 ? `choose one of ${ids.join(', ')} with --eim-id` : 'make one with --eim-id';
      throw new UsageError(`${path} has ${ids.length} eIMs: ${hint}`);
    }
    const found = eimId === undefined ? pki.eims[0] : pki.eims.find((eim) => eim.eimId === eimId);
    if (found) return fqdn === undefined ? found : { ...found, eimFqdn: fqdn };
    if (dir !== undefined) {
      throw new UsageError(
        `${path} has no eIM ${eimId}, only ${ids.join(', ') || 'none'}: name another with --eim-id, or make certificates with \`npx xs-ipa pki make\``,
      );
    }
    const made = makeEim(eimNames(eimId!, fqdn), { now: Date.now(), random: secureRandom });
    savePki(path, { ...pki, eims: [...pki.eims, made] });
    output.note(`made a key and a certificate for ${eimId} in ${path}`);
    return made;
  }

  async #make(path: string, { eid = defaultEid, eim = {} }: { eid?: string; eim?: EimNames }): Promise<void> {
    const eims = [eimNames(eim.eimId ?? defaultEimId, eim.fqdn)];
    const beside = `${path}.${process.pid}`;
    savePki(beside, await makePki({ eid, eims, now: Date.now(), random: secureRandom }));
    try {
      renameSync(beside, path);
    } catch (error) {
      rmSync(beside, { recursive: true, force: true });
      // Another command that was started at the same time was faster: both use what it made.
      if (!existsSync(path)) throw error;
    }
  }

  /**
   * Keeps a second process away from the same files until this one ends.
   * @param what for the error message, for example "the virtual eUICC"
   * @throws UsageError
   */
  lock(name: string, what: string): void {
    mkdirSync(this.path, { recursive: true });
    const path = resolve(this.file(`${name}.lock`));
    for (let attempt = 0; ; attempt++) {
      try {
        const file = openSync(path, 'wx');
        writeSync(file, String(process.pid));
        closeSync(file);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const owner = Number(readOwner(path));
        if (attempt > 1 || isAlive(owner)) {
          throw new UsageError(
            `${what} in ${this.path} is in use by process ${owner || '?'}: stop it, or name another folder with --state`,
          );
        }
        rmSync(path, { force: true });
      }
    }
    process.once('exit', () => rmSync(path, { force: true }));
  }
}

interface EimNames {
  eimId?: string;
  fqdn?: string;
}

/** What a certificate needs to know of an eIM. An OID has digits and dots; a name with a dot is an FQDN. */
export function eimNames(
  eimId: string,
  fqdn?: string,
): { eimId: string; eimIdType: 1 | 2 | 3; eimFqdn: string } {
  const isName = /^([A-Za-z0-9-]+\.)+[A-Za-z][A-Za-z0-9-]*$/.test(eimId);
  const eimIdType = /^[012](\.\d+)+$/.test(eimId) ? 1 : isName ? 2 : 3;
  return { eimId, eimIdType, eimFqdn: fqdn ?? (isName ? eimId : 'eim.example.com') };
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
