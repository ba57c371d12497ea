/** Bytes of one part of a linked program. */
export interface LinkedPart {
  /** `engine`, `parser` (the part of the engine that a device does without), `host`, or a library. */
  part: string;
  /** Code and constants: what is in flash. */
  flashBytes: number;
  /** Variables. */
  ramBytes: number;
}

/** Files of the engine that turn source text into bytecode. */
const PARSER = /^xs(Code|Lexical|Scope|Script|SourceMap|Syntaxical|Tree)\.o$/;
const FLASH = /^\.(init|text|rodata|srodata)\b/;
/** Initial values are in flash, too. */
const BOTH = /^\.(data|sdata)\b/;
const RAM = /^\.(bss|sbss)\b/;

/** What a map of GNU ld says of a program's parts, largest first. */
export function linkedParts(map: string): LinkedPart[] {
  const parts = new Map<string, LinkedPart>();
  // What comes before was left out.
  const linked = map.slice(map.indexOf('Linker script and memory map'));
  for (const [, section, hex, file] of linked.matchAll(
    /^ (\.[\w.$-]+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S+)$/gm,
  )) {
    const bytes = Number.parseInt(hex, 16);
    const inFlash = FLASH.test(section) || BOTH.test(section);
    const inRam = RAM.test(section) || BOTH.test(section);
    if (!inFlash && !inRam) continue;
    const name = partOf(file);
    const part = parts.get(name) ?? { part: name, flashBytes: 0, ramBytes: 0 };
    if (inFlash) part.flashBytes += bytes;
    if (inRam) part.ramBytes += bytes;
    parts.set(name, part);
  }
  return [...parts.values()].sort((a, b) => b.flashBytes - a.flashBytes);
}

function partOf(file: string): string {
  const library = /([^/\\]+)\.a\([^()]*\)$/.exec(file);
  if (library) return library[1];
  const name = file.replace(/^.*[/\\]/, '');
  if (PARSER.test(name)) return 'parser';
  return name.startsWith('xs') ? 'engine' : 'host';
}
