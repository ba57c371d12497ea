import { Cursor, Found, TlvError, TlvStream, Writer } from '../../ipa/tlv/index.js';
import { isConstructed } from '../ipa/tlv/tree.js';
import { bound, fuzz } from './fuzz.js';
import { EIM_MESSAGES, ES10_MESSAGES, TLV_ALPHABET, TLV_MUTATORS } from './messages.js';
import type { Random } from './random.js';

const cursor = new Cursor(new Uint8Array());
const again = new Cursor(new Uint8Array());
const stream = new TlvStream();
const writer = new Writer(4096);

/** Digest of what a reader saw: tags, depths and values in their order. */
let seen = 0;

function see(number: number): void {
  seen = (Math.imul(seen, 31) + number) | 0;
}

/** Reads with `by`, and writes into `to` what was read. */
function walk(by: Cursor, input: Uint8Array, to?: Writer): void {
  const limit = 2 * input.length + 2;
  seen = 0;
  by.reset(input);
  let steps = 0;
  for (;;) {
    bound(++steps, limit);
    if (!by.next()) {
      if (by.depth === 0) return;
      by.leave();
      to?.end();
      see(-1);
      continue;
    }
    if (
      by.start < 0 ||
      by.valueStart <= by.start ||
      by.valueEnd < by.valueStart ||
      by.valueEnd > input.length
    )
      throw new Error('an element leads out of the bytes');
    see(by.tag);
    see(by.depth);
    if (isConstructed(by.tag)) {
      by.enter();
      to?.begin(by.tag);
      continue;
    }
    for (let i = by.valueStart; i < by.valueEnd; i++) see(input[i]);
    to?.primitive(by.tag, by.value);
    see(-1);
    by.bit(steps);
    // Before the hash is compared nothing may depend on whether it is a number.
    if (by.length > 0 && by.length < 7) by.integer();
  }
}

/** Reads with the stream, in pieces of random size. */
function walkStream(input: Uint8Array, random: Random): void {
  seen = 0;
  stream.reset();
  const size = 1 + random.below(input.length + 8);
  const limit = 4 * input.length + 4;
  let steps = 0;
  for (let at = 0; at < input.length; at += size) {
    stream.feed(input.subarray(at, at + size));
    for (let found = stream.next(); found !== Found.nothing; found = stream.next()) {
      bound(++steps, limit);
      if (found === Found.header) {
        see(stream.tag);
        see(stream.depth);
        if (isConstructed(stream.tag)) stream.enter();
      } else if (found === Found.data) {
        const data = stream.data as Uint8Array;
        for (let i = 0; i < data.length; i++) see(data[i]);
      } else {
        see(-1);
      }
    }
  }
  if (!stream.complete) throw new TlvError('truncated', 'the stream is not complete', stream.consumed);
}

function attempt(read: () => void): TlvError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof TlvError) return error;
    throw error;
  }
}

fuzz({
  name: 'ipa/tlv',
  messages: [...ES10_MESSAGES, ...EIM_MESSAGES],
  alphabet: TLV_ALPHABET,
  mutators: TLV_MUTATORS,
  allows: (error) => error instanceof TlvError,
  run(input, random) {
    writer.clear();
    const refused = attempt(() => walk(cursor, input, writer));
    const whole = seen;
    const refusedByStream = attempt(() => walkStream(input, random));
    if (refused === undefined && refusedByStream)
      throw new Error('only the stream refuses it', { cause: refusedByStream });
    if (refused && refusedByStream === undefined)
      throw new Error('only the cursor refuses it', { cause: refused });
    if (refused) throw refused;
    if (seen !== whole) throw new Error('cursor and stream see different things');
    walk(again, writer.bytes);
    if (seen !== whole) throw new Error('what was written differs from what was read');
  },
});
