import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError } from '../../../ipa/es9/error.js';
import { JsonBody } from '../../../ipa/es9/json-body.js';
import { Json, type JsonField, JsonReader } from '../../../ipa/es9/json-reader.js';

function text(body: JsonBody, piece = 1_000): string {
  const into = new Uint8Array(piece);
  let all = '';
  for (let n = body.rewind().read(into); n > 0; n = body.read(into)) all += Buffer.from(into.subarray(0, n));
  return all;
}

describe('a JSON body', () => {
  it('is written with the length it says, in pieces of any size', () => {
    const body = new JsonBody();
    expect([text(body), body.length]).toEqual(['{}', 2]);
    body.text('smdpAddress', 'smdp.example.com').bytes('euiccChallenge', new Uint8Array(16).fill(0xfb));
    body
      .hex('transactionId', Uint8Array.of(0, 0xab))
      .value('stateChangeCause', 5)
      .value('notifyStateChange', true);
    const expected =
      '{"smdpAddress":"smdp.example.com","euiccChallenge":"+/v7+/v7+/v7+/v7+/v7+w==","transactionId":"00AB","stateChangeCause":5,"notifyStateChange":true}';
    for (const piece of [1, 2, 7, 1_000]) expect(text(body, piece)).toBe(expected);
    expect(body.length).toBe(expected.length);
    expect(text(body.reset().bytes('a', new Uint8Array(0)))).toBe('{"a":""}');
  });

  it('agrees with JSON.parse and Buffer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 20 })), { maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        (members, piece) => {
          const body = new JsonBody();
          members.forEach((member, i) => {
            if (typeof member === 'string') body.text(`m${i}`, member);
            else body.bytes(`m${i}`, member);
          });
          const all = text(body, piece);
          expect(all.length).toBe(body.length);
          expect(Object.values(JSON.parse(all))).toEqual(
            members.map((member) =>
              typeof member === 'string' ? member : Buffer.from(member).toString('base64'),
            ),
          );
        },
      ),
    );
  });
});

const fields: readonly JsonField[] = [
  { path: ['header', 'functionExecutionStatus', 'status'], kind: 'text' },
  { path: ['header', 'functionExecutionStatus', 'statusCodeData', 'message'], kind: 'text' },
  { path: ['transactionId'], kind: 'text' },
  { path: ['boundProfilePackage'], kind: 'base64' },
  { path: ['eventEntries', 'eventId'], kind: 'text' },
  { path: ['eimPackageError'], kind: 'text' },
];

/** Every member found, as [its last name, value]; `close` where an object was over. */
function read(
  source: string | Uint8Array,
  options: { piece?: number; room?: number; fields?: readonly JsonField[] } = {},
) {
  const bytes = Buffer.from(source as string);
  const { piece = bytes.length || 1, room = 64, fields: wanted = fields } = options;
  const reader = new JsonReader(wanted, new Uint8Array(room));
  const found: string[] = [];
  let parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    reader.feed(bytes.subarray(at, at + piece));
    for (let event = reader.next(); event !== Json.nothing; event = reader.next()) {
      const { path, kind } = wanted[Math.max(0, reader.field)];
      if (event === Json.begin) parts = [];
      else if (event === Json.data) parts.push(Buffer.from(reader.data as Uint8Array));
      else if (event === Json.close) found.push('close');
      else found.push(`${path.at(-1)} ${Buffer.concat(parts).toString(kind === 'text' ? 'utf8' : 'hex')}`);
    }
  }
  expect(reader.consumed).toBe(bytes.length);
  reader.finish();
  return found;
}

const cuts = [1, 2, 3, 5, 17, 10_000];

describe('the JSON reader', () => {
  it('finds members in any order, and passes over the rest', () => {
    const bpp = Buffer.from(Uint8Array.from({ length: 500 }, (_, i) => i * 7));
    const source = JSON.stringify({
      unknown: { transactionId: 'not this one', list: [1, [2, { a: null }], 'x'], boundProfilePackage: '!' },
      boundProfilePackage: bpp.toString('base64'),
      transactionId: 'AB01',
      header: {
        status: 'nor this',
        functionExecutionStatus: {
          statusCodeData: { subjectCode: '8.1', message: 'kein "Speicher" \\ é 😀' },
          status: 'Failed',
        },
      },
      eimPackageError: -1.5e3,
    });
    for (const text of [
      source,
      JSON.stringify(JSON.parse(source), null, '\t'),
      source.replaceAll('/', '\\/'),
    ]) {
      for (const piece of cuts) {
        for (const room of [8, 9, 64]) {
          expect(read(text, { piece, room })).toEqual([
            `boundProfilePackage ${bpp.toString('hex')}`,
            'transactionId AB01',
            'message kein "Speicher" \\ é 😀',
            'close',
            'status Failed',
            'close',
            'close',
            'eimPackageError -1500',
          ]);
        }
      }
    }
  });

  it('tells the elements of an array apart', () => {
    const source = '{"eventEntries":[{"eventId":"1","x":{}},{},{"eventId":"2"}],"transactionId":null}';
    for (const piece of cuts) {
      expect(read(source, { piece })).toEqual(['eventId 1', 'close', 'close', 'eventId 2', 'close']);
    }
  });

  it('reads escapes, and half pairs as U+FFFD', () => {
    const source = String.raw`{"transact\u0069onId":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\ud83dx\ude00\ud83d"}`;
    for (const piece of cuts) {
      const [found] = read(source, { piece, room: 8 });
      expect(found).toBe('transactionId "\\/\b\f\n\r\tAé€😀\ufffdx\ufffd\ufffd');
    }
  });

  it.each([
    ['', ''],
    ['QQ==', '41'],
    ['QQ', '41'],
    ['QUI=', '4142'],
    ['QUI', '4142'],
    ['QUJD', '414243'],
    ['QU\\r\\nJD', '414243'],
  ])('decodes %s', (base64, hex) => {
    for (const piece of cuts) {
      expect(read(`{"boundProfilePackage":"${base64}"}`, { piece })).toEqual([`boundProfilePackage ${hex}`]);
    }
  });

  it.each(['Q', 'QUJDQ', 'Q===', '=', 'QQ=', 'QQ===', 'QQ==QQ==', 'Q!==', 'QUI=A', 'QU_-', 'é'])(
    'refuses %s as base64',
    (base64) => {
      for (const piece of cuts) {
        expect(() => read(`{"boundProfilePackage":"${base64}"}`, { piece })).toThrow(
          expect.objectContaining({ code: 'badBase64' }),
        );
      }
    },
  );

  it('refuses what is nested too deeply, what is cut off, and what is no object', () => {
    expect(() => read(`{"a":${'['.repeat(16)}${']'.repeat(16)}}`)).toThrow('deeply');
    expect(read(`{"a":${'['.repeat(15)}${']'.repeat(15)}}`)).toEqual([]);
    expect(() => read('{"a":"b"')).toThrow('cut off');
    expect(() => read('')).toThrow('cut off');
    for (const other of ['[]', '"x"', '1', 'null', '{}{}', '{} x'])
      expect(() => read(other)).toThrow(JsonError);
    expect(read(' {} \n')).toEqual([]);
  });

  it('takes what JSON.parse takes, whatever the bytes and the cuts', () => {
    const json = fc.json({ maxDepth: 6 }).map((value) => `{"transactionId":${value},"a":[${value}]}`);
    const inserted = fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      'u',
      ' ',
      'null',
      '\u0001',
      '\\ud800',
    );
    const mutated = fc
      .tuple(json, fc.array(fc.tuple(fc.nat(), inserted), { maxLength: 2 }), fc.boolean())
      .map(([value, changes, replace]) =>
        changes.reduce((text, [at, what]) => {
          const place = at % (text.length + 1);
          return text.slice(0, place) + what + text.slice(place + (replace ? 1 : 0));
        }, value),
      );
    fc.assert(
      fc.property(fc.oneof(json, mutated), fc.integer({ min: 1, max: 20 }), (source, piece) => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(source);
        } catch {
          // Then ours must not take it either.
        }
        const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
        let taken: string[] | undefined;
        try {
          taken = read(source, { piece, room: 12 });
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
          if ((error as JsonError).code === 'tooDeep') return;
        }
        expect(taken !== undefined).toBe(isObject);
        const last = (parsed as { transactionId?: unknown } | undefined)?.transactionId;
        if (taken && typeof last === 'string') {
          expect(taken.filter((one) => one.startsWith('transactionId ')).at(-1)).toBe(
            `transactionId ${Buffer.from(last)}`,
          );
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('is ready for the next text after an error', () => {
    const reader = new JsonReader(fields, new Uint8Array(16));
    reader.feed(Buffer.from('{]'));
    expect(() => reader.next()).toThrow(JsonError);
    reader.reset().feed(Buffer.from('{}'));
    expect(reader.next()).toBe(Json.nothing);
    expect(reader.complete).toBe(true);
    reader.feed(Buffer.from(' '));
    expect(() => reader.feed(Buffer.from(' '))).toThrow('used up');
  });
});
