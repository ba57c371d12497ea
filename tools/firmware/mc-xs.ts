/** What the SDK's linker (xsl) has put into a `mc.xs.c`; flash of a device, unless said otherwise. */
export interface LinkedImage {
  /** Slots made while modules were preloaded, and those of the engine that are left. */
  slots: number;
  /** 16 bytes each on every 32-bit device. */
  slotBytes: number;
  /** Bytes of bytecode of all modules. */
  bytecode: number;
  /** Bytes of bytecode by module, of those that are not preloaded by name: loaded at run time, or imported by one that is. */
  whole: Readonly<Record<string, number>>;
  /** Preloaded objects that may still be changed: a pointer of RAM each. */
  aliases: number;
  /** Names of properties. */
  keys: number;
  creation: Creation;
}

/** The memory a machine is made with; what the linker was told by the manifests. */
export interface Creation {
  chunks: { initial: number; incremental: number };
  slots: { initial: number; incremental: number };
  /** Slots. */
  stack: number;
  /** Bytes of heap and stack together; 0 = they grow. */
  static: number;
}

const SLOT_BYTES = 16;

/**
 * Reads figures off the C source that xsl writes.
 *
 * @param source text of `mc.xs.c`
 * @throws {Error} when it is none, or of an SDK that writes it in another way
 */
export function readImage(source: string): LinkedImage {
  const slots = defined(source, 'mxHeapCount');
  // A module that the manifest preloads leaves the bytecode of its functions, in its slots; others are there whole.
  let bytecode = 0;
  for (const [, literal] of source.matchAll(
    /XS_CODE_X_KIND\}, \.value = \{ \.code = \{ \(txByte\*\)"((?:\\x[0-9a-f]{2})+)"/g,
  )) {
    bytecode += literal.length / 4;
  }
  const whole: Record<string, number> = {};
  for (const [, size, name] of source.matchAll(
    /^\t\{ \w+, \w+, \d+, \(txS1\*\)gxCode\d+, (\d+), \w+, \d+, "([^"]+)"/gm,
  )) {
    whole[name] = Number(size);
    bytecode += Number(size);
  }
  if (bytecode === 0) throw new Error('mc.xs.c has no bytecode in it');
  // The arrays themselves say the same, and one that is in no table would be missed.
  const arrays = [...source.matchAll(/^static const txU1 gxCode\d+\[(\d+)\];/gm)].map(([, size]) =>
    Number(size),
  );
  const [listed, declared] = [Object.values(whole), arrays].map((sizes) =>
    sizes.reduce((sum, size) => sum + size, 0),
  );
  if (declared !== listed)
    throw new Error(`mc.xs.c declares ${declared} bytes of bytecode and lists ${listed}`);
  return {
    slots,
    slotBytes: SLOT_BYTES * slots,
    bytecode,
    whole,
    aliases: defined(source, 'mxAliasCount'),
    keys: defined(source, 'mxKeysCount'),
    creation: readCreation(source),
  };
}

function defined(source: string, name: string): number {
  const found = new RegExp(`^#define ${name} (\\d+)$`, 'm').exec(source);
  if (!found) throw new Error(`mc.xs.c has no ${name}: was it written by xsl?`);
  return Number(found[1]);
}

/** Order of the fields: xsCreation in the engine's xs.h. */
function readCreation(source: string): Creation {
  const found = /^\t\{ (\d+(?:, \d+){11})(?:, \d+)*\s*\},$\s*"/m.exec(source);
  if (!found) throw new Error('mc.xs.c does not say with which creation the machine is made');
  const [chunk, chunkStep, slot, slotStep, stack, , , , , , , fixed] = found[1].split(', ').map(Number);
  return {
    chunks: { initial: chunk, incremental: chunkStep },
    slots: { initial: slot, incremental: slotStep },
    stack,
    static: fixed,
  };
}

/**
 * Bytes of bytecode in a module as the engine's compiler (xsc) writes it, before it is linked: with what a preloaded module
 * has done when it was loaded, and leaves behind.
 *
 * @param xsb contents of a `.xsb` file: atoms of a 32-bit size, a name and what they hold, in one that holds them all
 * @throws {Error} when it is none
 */
export function codeSize(xsb: Uint8Array): number {
  const view = new DataView(xsb.buffer, xsb.byteOffset, xsb.byteLength);
  const name = (at: number) => String.fromCharCode(...xsb.subarray(at + 4, at + 8));
  if (xsb.length < 8 || name(0) !== 'XS_B' || view.getUint32(0) !== xsb.length)
    throw new Error('not an .xsb file');
  for (let at = 8; at + 8 <= xsb.length; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > xsb.length)
      throw new Error('an .xsb file with an atom that is longer than the file');
    if (name(at) === 'CODE') return size - 8;
    at += size;
  }
  throw new Error('an .xsb file without bytecode');
}
