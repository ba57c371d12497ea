import { JsonError } from '../../ipa/es9/error.js';
import { Json, type JsonField, JsonReader } from '../../ipa/es9/json-reader.js';
import { Es9Fields, HEADER_FIELDS } from '../../ipa/es9/messages.js';
import { bound, fuzz } from './fuzz.js';
import type { Random } from './random.js';

const fields: readonly JsonField[] = [...HEADER_FIELDS, ...Es9Fields.getBoundProfilePackage];
const reader = new JsonReader(fields, new Uint8Array(32));

/** Reads in pieces of random size; what comes out is never more than what went in. */
function run(input: Uint8Array, random: Random): void {
  reader.reset();
  let steps = 0;
  let length = 0;
  for (let at = 0; at < input.length; ) {
    const end = Math.min(input.length, at + 1 + random.below(40));
    reader.feed(input.subarray(at, end));
    for (let found = reader.next(); found !== Json.nothing; found = reader.next()) {
      bound(++steps, 3 * input.length + 4);
      if (found === Json.data) length += reader.data?.length ?? 0;
    }
    at = end;
  }
  bound(length, input.length);
  reader.finish();
}

const header = {
  functionExecutionStatus: {
    status: 'Failed',
    statusCodeData: { subjectCode: '8.1', reasonCode: '4.8', message: 'é "x"' },
  },
};
fuzz({
  name: 'the JSON reader',
  messages: [
    { header, transactionId: 'AB12', boundProfilePackage: 'vzaCAQC/IwA=' },
    { boundProfilePackage: 'QUJDREVG', other: [1, -2.5e3, true, null, { a: [] }], transactionId: 'x' },
    { transactionId: '\ud83d\ude00 \u0001' },
  ].map((value) => Buffer.from(JSON.stringify(value))),
  alphabet: Buffer.from('{}[]:,"\\u0=+/ \n-.eE1tfn'),
  run,
  allows: (error) => error instanceof JsonError,
});
