import { expect, it } from 'vitest';
import { linkedParts } from './link-map.js';

/** As GNU ld writes it: long names of sections have a line of their own. */
const MAP = `Discarded input sections

 .text.fxUnused  0x00000000     0x1000 /objects/xsAll.o

Linker script and memory map

LOAD /objects/xsAll.o
.text           0x80000254    0xbee80
 .text.fxShort  0x80000254       0x10 /objects/xsAll.o
 .text.fxOneWithQuiteALongName
                0x80000264       0x20 /objects/xsAll.o
                0x80000264                fxOneWithQuiteALongName
 .rodata        0x80000284        0x8 /objects/xsAll.o
 .text          0x8000028c      0x100 /objects/xsLexical.o
 .text.main     0x8000038c        0x6 /objects/main.o
 .data          0x80800000        0x4 /objects/main.o
 .bss           0x80800004       0x40 /objects/main.o
 .text          0x80000392       0x0a /lib/rv32im/ilp32/libc.a(libc_string_memcpy.c.o)
 .debug_info    0x00000000      0x500 /objects/main.o
`;

it('a map of the linker: bytes of every part, of what was linked', () => {
  expect(linkedParts(MAP)).toEqual([
    { part: 'parser', flashBytes: 0x100, ramBytes: 0 },
    { part: 'engine', flashBytes: 0x38, ramBytes: 0 },
    { part: 'host', flashBytes: 10, ramBytes: 68 },
    { part: 'libc', flashBytes: 10, ramBytes: 0 },
  ]);
});
