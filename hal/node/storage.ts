import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type KeyValue, XsIpaError } from '../contracts/index.js';
import { writeDurably } from './durable.js';

/** What ESP32's NVS allows; kept here too, so that a key that works on Node works on the device. */
const MAX_KEY = 15;

function checkKey(key: string): void {
  if (key.length >= 1 && key.length <= MAX_KEY) return;
  throw new XsIpaError('usage', `"${key}" is no key: 1 to ${MAX_KEY} characters are allowed`);
}

/** Key-value storage that ends with the process. */
export class MemoryKeyValue implements KeyValue {
  protected readonly values = new Map<string, string>();

  read(key: string): string | undefined {
    checkKey(key);
    return this.values.get(key);
  }

  write(key: string, value: string): void {
    checkKey(key);
    this.values.set(key, value);
  }

  delete(key: string): void {
    checkKey(key);
    this.values.delete(key);
  }
}

/** Key-value storage in one JSON file. After a cut at any moment the file holds the old or the new state. */
export class FileKeyValue extends MemoryKeyValue {
  readonly path: string;

  /** @throws {XsIpaError} `storage` when the file is there but is no such storage */
  constructor(path: string) {
    super();
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    for (const [key, value] of Object.entries(load(path))) this.values.set(key, value);
  }

  override write(key: string, value: string): void {
    if (this.read(key) === value) return;
    this.#change(key, value);
  }

  override delete(key: string): void {
    if (this.read(key) !== undefined) this.#change(key, undefined);
  }

  /** The file first: a value that could not be written must not be read back. */
  #change(key: string, value: string | undefined): void {
    const next = new Map(this.values);
    if (value === undefined) next.delete(key);
    else next.set(key, value);
    writeDurably(this.path, Buffer.from(JSON.stringify(Object.fromEntries(next))));
    if (value === undefined) super.delete(key);
    else super.write(key, value);
  }
}

function load(path: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (isStrings(parsed)) return parsed;
  } catch {
    // Reported below, with the path.
  }
  throw new XsIpaError(
    'storage',
    `${path} is no key-value storage of xs-ipa: name another file or remove it`,
  );
}

function isStrings(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((entry) => typeof entry === 'string');
}
