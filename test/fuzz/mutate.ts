import type { Random } from './random.js';

/** One input in the making: the first `length` bytes of `bytes`. Made once and used for all inputs. */
export interface Draft {
  readonly bytes: Uint8Array;
  length: number;
}

/** Changes a draft; `alphabet` are bytes that mean something to the target. */
export type Mutator = (draft: Draft, random: Random, corpus: Corpus) => void;

export interface Corpus {
  /** Valid messages. */
  readonly messages: readonly Uint8Array[];
  /** Bytes that mean something to the target: tags, length forms, line ends. */
  readonly alphabet: ArrayLike<number>;
}

const flip: Mutator = (draft, random) => {
  if (draft.length === 0) return;
  for (let n = 1 + random.below(4); n > 0; n--)
    draft.bytes[random.below(draft.length)] ^= 1 << random.below(8);
};

const overwrite: Mutator = (draft, random, { alphabet }) => {
  if (draft.length === 0) return;
  for (let n = 1 + random.below(3); n > 0; n--)
    draft.bytes[random.below(draft.length)] = random.pick(alphabet);
};

const truncate: Mutator = (draft, random) => {
  draft.length = random.below(draft.length + 1);
};

const insert: Mutator = (draft, random, { alphabet }) => {
  const { bytes } = draft;
  const count = Math.min(1 + random.below(8), bytes.length - draft.length);
  const at = random.below(draft.length + 1);
  bytes.copyWithin(at + count, at, draft.length);
  draft.length += count;
  for (let i = at; i < at + count; i++)
    bytes[i] = random.below(2) ? random.pick(alphabet) : random.below(256);
};

const remove: Mutator = (draft, random) => {
  const at = random.below(draft.length + 1);
  const count = random.below(Math.min(8, draft.length - at) + 1);
  draft.bytes.copyWithin(at, at + count, draft.length);
  draft.length -= count;
};

const repeat: Mutator = (draft, random) => {
  const from = random.below(draft.length + 1);
  const count = Math.min(random.below(draft.length - from + 1), draft.bytes.length - draft.length);
  draft.bytes.copyWithin(draft.length, from, from + count);
  draft.length += count;
};

/** The rest of another message from somewhere on. */
const splice: Mutator = (draft, random, { messages }) => {
  const other = random.pick(messages);
  draft.length = random.below(draft.length + 1);
  append(draft, other, random.below(other.length + 1));
};

const concatenate: Mutator = (draft, random, { messages }) => append(draft, random.pick(messages), 0);

function append(draft: Draft, from: Uint8Array, at: number): void {
  const count = Math.min(from.length - at, draft.bytes.length - draft.length);
  for (let i = 0; i < count; i++) draft.bytes[draft.length + i] = from[at + i];
  draft.length += count;
}

const MUTATORS = [flip, flip, overwrite, truncate, insert, remove, repeat, splice, concatenate];

/** Makes the next input: one in four random, the others messages changed one to four times. */
export function generate(draft: Draft, random: Random, corpus: Corpus, extra: readonly Mutator[]): void {
  if (random.below(4) === 0) {
    draft.length = random.below(96);
    const biased = random.below(2) === 0;
    for (let i = 0; i < draft.length; i++) {
      draft.bytes[i] = biased && random.below(4) > 0 ? random.pick(corpus.alphabet) : random.below(256);
    }
    return;
  }
  draft.length = 0;
  append(draft, random.pick(corpus.messages), 0);
  for (let n = 1 + random.below(4); n > 0; n--) {
    const which = random.below(MUTATORS.length + extra.length);
    const mutate = which < MUTATORS.length ? MUTATORS[which] : extra[which - MUTATORS.length];
    mutate(draft, random, corpus);
  }
}
