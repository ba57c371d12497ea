import { describe, expect, it } from 'vitest';
import { codeSize, readImage } from '../../../tools/firmware/mc-xs.js';

/** What xsl writes, in so far as it is read: two modules that are there whole, one that is preloaded. */
const source = `/* mc.xs.c */
#define mxAliasCount 262
#define mxHeapCount 11457
static const txSlot gxHeap[mxHeapCount];
#define mxKeysCount 1934
static const txU1 gxCode1[429];
static const txU1 gxCode38[2679];
static const txScript gxScripts[mxScriptsCount];

static const txU1 gxCode1[429] = {
	0x8e, 0x57
};

static const txScript gxScripts[mxScriptsCount] = {
	{ xsHostModule0, NULL, 0, NULL, 0, NULL, 0, "Resource", { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 } },
	{ NULL, NULL, 0, (txS1*)gxCode1, 429, NULL, 0, "package", { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 } },
	{ xsHostModule3, NULL, 0, (txS1*)gxCode38, 2679, NULL, 0, "firmware/main", { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 } },
	{ NULL, NULL, 0, NULL, 0, NULL, 0, "ipa/ipad", { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 } },
};

/* 1 */	{ NULL, {.ID = xsID_a, .flag = 0xab, .kind = XS_CODE_X_KIND}, .value = { .code = { (txByte*)"\\x0d\\x01\\x9e\\x0b\\xa5", (txSlot*)&gxHeap[2548] } } },
/* 2 */	{ NULL, {.ID = xsID_b, .flag = 0xab, .kind = XS_CODE_X_KIND}, .value = { .code = { (txByte*)(&gxCode38[5605]), (txSlot*)&gxHeap[1333] } } },
/* 3 */	{ NULL, {.ID = xsID_c, .flag = 0xab, .kind = XS_CODE_X_KIND}, .value = { .code = { (txByte*)(gxNoCode), NULL } } },
/* 4 */	{ NULL, {.ID = xsID_d, .flag = 0x8a, .kind = XS_STRING_X_KIND}, .value = { .string = "\\x0d\\x01" } },
/* 5 */	{ NULL, {.ID = xsID_e, .flag = 0xab, .kind = XS_CODE_X_KIND}, .value = { .code = { (txByte*)"\\x86\\xf4", (txSlot*)&gxHeap[2] } } },

static const txPreparation gxPreparation = {
	(txScript*)gxScripts,
	866,
	{ 1536, 512, 512, 64, 384, 32, 32, 53, 3, 1024, 17, 94208, 0},
	"firmware/main",
	{ 0xE7, 0xC7, 0xEA, 0x1C }
};
`;

describe('readImage', () => {
  it('adds up the bytecode of whole modules and of preloaded functions', () => {
    expect(readImage(source)).toEqual({
      slots: 11_457,
      slotBytes: 183_312,
      bytecode: 429 + 2_679 + 5 + 2,
      whole: { package: 429, 'firmware/main': 2_679 },
      aliases: 262,
      keys: 1_934,
      creation: {
        chunks: { initial: 1_536, incremental: 512 },
        slots: { initial: 512, incremental: 64 },
        stack: 384,
        static: 94_208,
      },
    });
  });

  it.each([
    ['', 'mxHeapCount'],
    [source.replace('#define mxAliasCount 262', ''), 'mxAliasCount'],
    [source.replace('#define mxKeysCount 1934', '#define mxKeysCount many'), 'mxKeysCount'],
    [source.replaceAll('gxCode', 'code').replaceAll('XS_CODE_X_KIND', 'KIND'), 'no bytecode'],
    [source.replace('gxCode38[2679];', 'gxCode38[2680];'), 'declares 3109 bytes of bytecode and lists 3108'],
    [source.replace('94208, 0}', '94208}').replace(' 17, ', ' '), 'creation'],
  ])('says what a source does not have (%#)', (text, message) => {
    expect(() => readImage(text)).toThrow(message);
  });
});

describe('codeSize', () => {
  const atom = (name: string, content: Uint8Array) => {
    const bytes = new Uint8Array(8 + content.length);
    new DataView(bytes.buffer).setUint32(0, bytes.length);
    bytes.set(
      [...name].map((letter) => letter.charCodeAt(0)),
      4,
    );
    bytes.set(content, 8);
    return bytes;
  };
  const both = (...atoms: Uint8Array[]) => Uint8Array.from(atoms.flatMap((bytes) => [...bytes]));
  const version = atom('VERS', Uint8Array.of(17, 7, 0, 0));
  const code = atom('CODE', new Uint8Array(23));
  const whole = atom('XS_B', both(version, atom('SYMB', new Uint8Array(5)), code));

  it('finds the bytecode among the other atoms', () => {
    expect(codeSize(whole)).toBe(23);
    expect(codeSize(both(new Uint8Array(3), whole).subarray(3))).toBe(23);
  });

  it('refuses what is cut short, at every byte', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => codeSize(whole.slice(0, length))).toThrow('.xsb');
    }
  });

  it('refuses atoms that are longer than the file, empty ones, and a file without bytecode', () => {
    const long = whole.slice();
    long[11] = 0xff;
    expect(() => codeSize(long)).toThrow('longer than the file');
    const empty = whole.slice();
    empty[11] = 0;
    expect(() => codeSize(empty)).toThrow('longer than the file');
    expect(() => codeSize(atom('XS_B', version))).toThrow('without bytecode');
    expect(() => codeSize(atom('ELSE', code))).toThrow('not an .xsb file');
  });
});
