import { message, seq } from './schema.js';
import { bool, code } from './types.js';

// Shapes that many ES10 functions share.

export const okOrUndefined = { 0: 'ok', 127: 'undefinedError' } as const;
export const request = (name: string, tag: number, section: string) =>
  message(name, tag, section, seq(name, {}));
/** A response that is nothing but a code in field 80. */
export const result = (name: string, tag: number, section: string, names: Readonly<Record<number, string>>) =>
  message(name, tag, section, seq(name, { result: { tag: 0x80, type: code(name, names) } }));
/** A refresh flag alone (Q1: some send universal 01). */
export const refresh = (name: string, tag: number, section: string) =>
  message(name, tag, section, seq(name, { refreshFlag: { tag: 0x80, also: [0x01], type: bool } }));
