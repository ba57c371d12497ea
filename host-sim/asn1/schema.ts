import { Asn1Error, concat, type Element, readElement, tagName, writeElement } from './ber.js';

/**
 * A type of the specification: its codec and how it shows itself to people. Tags are IMPLICIT, so the tag a context
 * gives replaces the type's own; only an untagged CHOICE is wrapped (es10.md T2–T4).
 */
export interface Type<T> {
  readonly label: string;
  /** Tags an encoding may begin with when no context gives one; empty for anything. */
  readonly tags: readonly number[];
  /** The whole TLV, with `tag` instead of the own one if given. */
  write(value: T, tag?: number): Uint8Array;
  /** `tagged`: the element's tag came from the context. */
  read(element: Element, tagged: boolean): T;
  /** JSON-able, for logs: names instead of numbers, hex in upper case. */
  show(value: T): unknown;
}

export type Infer<T> = T extends Type<infer V> ? V : never;

/** A message: a type with its name, its own tag, and the section that defines it. */
export interface Schema<T> extends Type<T> {
  readonly tag: number;
  readonly section: string;
}

export function message<T>(name: string, tag: number, section: string, type: Type<T>): Schema<T> {
  return {
    label: name,
    tag,
    section,
    tags: [tag],
    write: (value, other = tag) => type.write(value, other),
    read: (element) => type.read(element, true),
    show: (value) => type.show(value),
  };
}

/** @throws Asn1Error when the value does not fit the schema */
export function encode<T>(schema: Type<T>, value: T): Uint8Array {
  return schema.write(value);
}

/** Exactly one TLV. @throws Asn1Error, and nothing else, whatever the bytes */
export function decode<T>(schema: Type<T>, bytes: Uint8Array): T {
  const element = readElement(bytes);
  if (!begins(schema, element.tag)) {
    throw new Asn1Error('unexpected', `${schema.label} expected, tag ${tagName(element.tag)} found`);
  }
  return schema.read(element, false);
}

function begins(type: { readonly tags: readonly number[] }, tag: number): boolean {
  return type.tags.length === 0 || type.tags.includes(tag);
}

/** Another encoding that receivers accept for the same thing. */
type Also<V> = number | { tag: number; type: Type<V> };

interface Field<V, O extends boolean = boolean> {
  /** The context's tag; the type's own when absent. */
  tag?: number;
  /** Accepted, never written. */
  also?: readonly Also<V>[];
  type: Type<V>;
  optional?: O;
  /** Further condition for taking an element. */
  when?: (element: Element) => boolean;
}

type Fields = Record<string, Field<unknown>>;
type Optional<F> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F];
type FieldValue<F> = F extends { type: Type<infer V> } ? V : never;
type Flat<T> = { [K in keyof T]: T[K] };
type SeqValue<F> = Flat<
  { [K in Exclude<keyof F, Optional<F>>]: FieldValue<F[K]> } & { [K in Optional<F>]?: FieldValue<F[K]> }
>;

/** Reads `element` if `field` takes it. */
function take(field: Field<unknown>, element: Element): { value: unknown } | undefined {
  if (field.when && !field.when(element)) return undefined;
  if (field.tag === undefined ? begins(field.type, element.tag) : element.tag === field.tag) {
    return { value: field.type.read(element, field.tag !== undefined) };
  }
  for (const also of field.also ?? []) {
    if (typeof also === 'number') {
      if (also === element.tag) return { value: field.type.read(element, true) };
    } else if (also.tag === element.tag) {
      return { value: also.type.read(element, true) };
    }
  }
  return undefined;
}

/** SEQUENCE. Unknown elements are ignored, the order of known ones is not enforced (EXTENSIBILITY IMPLIED, T13). */
export function seq<const F extends Fields>(label: string, fields: F, tag = 0x30): Type<SeqValue<F>> {
  type V = SeqValue<F>;
  const names = Object.keys(fields);
  return {
    label,
    tags: [tag],
    write(value, other = tag) {
      const parts: Uint8Array[] = [];
      for (const name of names) {
        const field = fields[name];
        const part = (value as Record<string, unknown>)[name];
        if (part !== undefined) parts.push(field.type.write(part, field.tag));
        else if (!field.optional) throw new Asn1Error('missing', `${label}.${name} has no value`);
      }
      return writeElement(other, concat(parts));
    },
    read(element) {
      if (!element.constructed) throw new Asn1Error('unexpected', `${label} is not constructed`);
      const value: Record<string, unknown> = {};
      for (const child of element.children) {
        for (const name of names) {
          if (name in value) continue;
          const taken = take(fields[name], child);
          if (!taken) continue;
          value[name] = taken.value;
          break;
        }
      }
      for (const name of names) {
        if (!fields[name].optional && !(name in value)) throw new Asn1Error('missing', `${label}.${name}`);
      }
      return value as V;
    },
    show(value) {
      const shown: Record<string, unknown> = {};
      for (const name of names) {
        const part = (value as Record<string, unknown>)[name];
        if (part !== undefined) shown[name] = fields[name].type.show(part);
      }
      return shown;
    },
  };
}

/** One alternative is present, the others are undefined, so that `value.ok?.…` narrows and reads well. */
type ChoiceValue<F> = {
  [K in keyof F]: Flat<{ [P in K]: FieldValue<F[P]> } & { [P in Exclude<keyof F, K>]?: undefined }>;
}[keyof F];

interface ChoiceOptions<F> {
  /** Alternative that takes what no other does, or what another cannot read. Its type reads whole TLVs. */
  otherwise?: keyof F & string;
  /** Alternative whose own tag may be absent: it is read from the wrapper itself when that begins with this tag. */
  bare?: { tag: number; as: keyof F & string };
  /** What an empty wrapper means. */
  empty?: ChoiceValue<F>;
}

/** CHOICE: wrapped when the context gives a tag. */
export function choice<const F extends Fields>(
  label: string,
  alternatives: F,
  options: ChoiceOptions<F> = {},
): Type<ChoiceValue<F>> {
  type V = ChoiceValue<F>;
  const names = Object.keys(alternatives);
  const tags: number[] = [];
  for (const name of names) {
    const { tag, type, also = [] } = alternatives[name];
    if (name === options.otherwise) continue;
    tags.push(...(tag === undefined ? type.tags : [tag]));
    for (const other of also) tags.push(typeof other === 'number' ? other : other.tag);
  }

  function pick(element: Element): V {
    try {
      for (const name of names) {
        if (name === options.otherwise) continue;
        const taken = take(alternatives[name], element);
        if (taken) return { [name]: taken.value } as V;
      }
      throw new Asn1Error('unexpected', `tag ${tagName(element.tag)} is no alternative of ${label}`);
    } catch (error) {
      if (options.otherwise === undefined || !(error instanceof Asn1Error)) throw error;
      return { [options.otherwise]: alternatives[options.otherwise].type.read(element, false) } as V;
    }
  }

  function chosen(value: V): [string, unknown] {
    const name = names.find((one) => (value as Record<string, unknown>)[one] !== undefined);
    if (name === undefined) throw new Asn1Error('missing', `${label} has no alternative`);
    return [name, (value as Record<string, unknown>)[name]];
  }

  return {
    label,
    tags: options.otherwise === undefined ? tags : [],
    write(value, wrapper) {
      const [name, part] = chosen(value);
      const inner = alternatives[name].type.write(part, alternatives[name].tag);
      return wrapper === undefined ? inner : writeElement(wrapper, inner);
    },
    read(element, tagged) {
      if (!tagged) return pick(element);
      if (element.children.length === 0) {
        if (options.empty) return options.empty;
        throw new Asn1Error('missing', `${label} is empty`);
      }
      if (options.bare && element.children[0].tag === options.bare.tag) {
        return { [options.bare.as]: alternatives[options.bare.as].type.read(element, true) } as V;
      }
      return pick(element.children[0]);
    },
    show(value) {
      const [name, part] = chosen(value);
      return { [name]: alternatives[name].type.show(part) };
    },
  };
}

/** SEQUENCE OF. */
export function listOf<T>(type: Type<T>, tag = 0x30): Type<T[]> {
  return {
    label: `list of ${type.label}`,
    tags: [tag],
    write: (values, other = tag) => writeElement(other, concat(values.map((value) => type.write(value)))),
    read(element) {
      if (!element.constructed) throw new Asn1Error('unexpected', `list of ${type.label} is not constructed`);
      return element.children.map((child) => {
        if (!begins(type, child.tag)) {
          throw new Asn1Error('unexpected', `${type.label} expected, tag ${tagName(child.tag)} found`);
        }
        return type.read(child, false);
      });
    },
    show: (values) => values.map((value) => type.show(value)),
  };
}

/** The same type under a tag of its own ("[APPLICATION 26] Iccid", "[44] SEQUENCE"). */
export function tagged<T>(tag: number, type: Type<T>): Type<T> {
  return {
    label: type.label,
    tags: [tag],
    write: (value, other = tag) => type.write(value, other),
    read: (element) => type.read(element, true),
    show: (value) => type.show(value),
  };
}

/** Reads another form and turns it into this one; for {@link Field.also}. */
export function converted<F, T>(from: Type<F>, convert: (value: F) => T): Type<T> {
  return {
    label: from.label,
    tags: from.tags,
    write: () => {
      throw new Asn1Error('unexpected', `${from.label} is only read`);
    },
    read: (element, isTagged) => convert(from.read(element, isTagged)),
    show: (value) => value,
  };
}
