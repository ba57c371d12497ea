import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build, root, typescript } from '../xs/bundle.js';
import { type Census, runOnXs } from '../xs/run.js';
import type { Start } from './measure.js';

/** Where the bytes of the idle device are. */
export interface PartsLine {
  bench: 'parts';
  /** `made`: what making the part took, from marks; `alive`: by class of the objects, from a census. */
  by: 'made' | 'alive';
  part: string;
  heapBytes: number;
  /** Of objects; with `alive` only. */
  count?: number;
}

/** Bytecode: constant data in flash. */
export interface FlashLine {
  bench: 'flash';
  /** `all`, or what is in one room. */
  part: string;
  bytecodeBytes: number;
  /** Objects, functions and bindings of the preloaded modules, with `all` only. */
  slots?: number;
  slotBytes?: number;
  /** Preloaded objects and bindings that scripts may change: four bytes of RAM each. */
  aliases?: number;
}

/** Rooms as docs/design.md §2 has them; the longest that fits. */
const ROOMS = [
  'ipa/tlv',
  'ipa/es10',
  'ipa/esipa',
  'ipa/procedures',
  'ipa',
  'hal/modem',
  'hal/contracts',
  'hal/xs',
] as const;

function roomOf(file: string): string {
  const fits = ROOMS.filter((room) => file.startsWith(`${room}/`));
  return fits.sort((a, b) => b.length - a.length)[0] ?? 'program';
}

/** In names of modules, where files have a slash: they must be beside each other. */
const SEPARATOR = '--';
/** The program that is measured. */
const ENTRY = 'test/xs/device/ipa.ts';

/** @throws BuildError where the XS host cannot be built */
export async function flashLines(): Promise<FlashLine[]> {
  const chunks = await build(join(root, ENTRY), [typescript], (id) =>
    relative(root, id).replace(/\.ts$/, '').replace(/[/\\]/g, SEPARATOR),
  );
  const modules = Object.fromEntries(chunks.map(({ fileName, code }) => [`./${fileName}`, code]));
  const { figures, code, complaints } = await runOnXs({ entry: { modules, main: '' } });
  if (!figures || code !== 0) throw new Error(`the device's modules cannot be loaded: ${complaints}`);
  const { flash, slotBytes } = figures;
  const rooms = new Map<string, number>();
  for (const [name, bytes] of Object.entries(flash.modules)) {
    if (!(name in modules)) continue;
    const room = roomOf(name.slice(2).replaceAll(SEPARATOR, '/'));
    rooms.set(room, (rooms.get(room) ?? 0) + bytes);
  }
  const lines = [...rooms]
    .map(([part, bytecodeBytes]): FlashLine => ({ bench: 'flash', part, bytecodeBytes }))
    .sort((a, b) => b.bytecodeBytes - a.bytecodeBytes);
  const all = lines.reduce((sum, { bytecodeBytes }) => sum + bytecodeBytes, 0);
  const { slots, aliases } = flash;
  return [{ bench: 'flash', part: 'all', bytecodeBytes: all, slots, slotBytes, aliases }, ...lines];
}

export function partsLines({ marks, idle, census }: Start): PartsLine[] {
  const made = (part: string, heapBytes: number): PartsLine => ({
    bench: 'parts',
    by: 'made',
    part,
    heapBytes,
  });
  const modem = marks.AtModem.bytes - marks.boot.bytes;
  const ipad = marks.Ipad.bytes - marks.AtModem.bytes;
  const link = marks.link.bytes - marks['before the link'].bytes;
  const rest = idle.bytes - marks.boot.bytes - modem - ipad - link;
  return [
    made('AtModem', modem),
    made('Ipad', ipad),
    made('MqttLink', link),
    made('in use since: serial port, session with the broker, buffers, functions that wait', rest),
    ...alive(census, idle.slotBytes, idle.bytes),
  ];
}

/** What has no class of ours. */
const ENGINE: Readonly<Record<string, string>> = {
  ArrayBuffer: 'buffers',
  Uint8Array: 'buffers',
  Uint16Array: 'buffers',
  scope: 'functions made at run time',
  function: 'functions made at run time',
  'suspended function': 'async functions that wait',
  Promise: 'async functions that wait',
};

function alive({ classes }: Census, slotBytes: number, all: number): PartsLine[] {
  const rooms = classRooms();
  const parts = new Map<string, PartsLine>();
  let sum = 0;
  for (const { name, count, slots, chunks } of classes) {
    const room = rooms.get(name);
    const part = room ? `objects of ${room}` : (ENGINE[name] ?? 'plain objects, lists and the rest');
    const line = parts.get(part) ?? { bench: 'parts', by: 'alive', part, heapBytes: 0, count: 0 };
    line.heapBytes += slots * slotBytes + chunks;
    line.count = (line.count ?? 0) + count;
    sum += slots * slotBytes + chunks;
    parts.set(part, line);
  }
  // Variables that functions close over belong to no object.
  parts.set('', {
    bench: 'parts',
    by: 'alive',
    part: 'variables that functions close over',
    heapBytes: Math.max(0, all - sum),
  });
  return [...parts.values()].sort((a, b) => b.heapBytes - a.heapBytes);
}

/** The room of every class of the device. */
function classRooms(): Map<string, string> {
  const rooms = new Map<string, string>();
  for (const folder of ['ipa', 'hal/contracts', 'hal/modem', 'hal/xs']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!entry.endsWith('.ts')) continue;
      const file = `${folder}/${entry.replaceAll('\\', '/')}`;
      for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(
        /^(?:export )?(?:abstract )?class (\w+)/gm,
      ))
        rooms.set(name, roomOf(file));
    }
  }
  return rooms;
}
