import { XsIpaError } from '../../hal/contracts/index.js';
import { JsonBinding } from '../../ipa/esipa/https/json.js';
import { fuzz } from './fuzz.js';
import type { Random } from './random.js';

const binding = new JsonBinding();
const requests = [
  'bf4f125a1089049032123451234512345678901235',
  'bf50045a005100',
  'bf3d02a000',
  'bf390481020102',
  'bf3b06800101bf3800',
  'bf3a06800101bf2100',
  'bf4106800101a10100',
].map((text) => Buffer.from(text, 'hex'));

const header = '"header":{"functionExecutionStatus":{"status":"Executed-Success"}}';

/** Reads the answer to one of the requests, in pieces of random size. */
function run(input: Uint8Array, random: Random): void {
  binding.begin(random.pick(requests));
  try {
    let given = 0;
    for (let at = 0; at < input.length; ) {
      const count = Math.min(input.length - at, 1 + random.below(64));
      binding.feed(input.subarray(at, at + count));
      for (let data = binding.next(); data; data = binding.next()) given += data.length;
      at += count;
    }
    given += binding.finish()?.length ?? 0;
    if (given > input.length + 64) throw new Error(`${given} bytes came out of ${input.length}`);
  } finally {
    binding.release();
  }
}

fuzz({
  name: "the JSON binding of the HTTPS link's answers",
  messages: [
    `{${header},"eimPackageError":1}`,
    `{${header},"euiccPackageRequest":"v1EA","x":[1,{"y":"\\u00e9"}]}`,
    `{"eimAcknowledgements":"v1MDgAEB",${header}}`,
    `{${header},"transactionId":"01","serverSigned1":"MAIFAA==","serverSignature1":"XzcDqrvM","euiccCiPKIdentifierToBeUsed":"BAIRIg==","serverCertificate":"MAA=","matchingId":"M"}`,
    `{${header},"smdpSigned2":"MAIFAA==","smdpSignature2":"qrvM","smdpCertificate":"MAA=","hashCc":"BAIRIg=="}`,
    `{${header},"boundProfilePackage":"vzYGoASAAgEC"}`,
    '{"header":{"functionExecutionStatus":{"status":"Failed","statusCodeData":{"subjectCode":"8.2","reasonCode":"3.8"}}}}',
  ].map((text) => Buffer.from(text)),
  alphabet: Buffer.from('{}[]":,\\u0aAvz/+=129 '),
  run,
  allows: (error) => error instanceof XsIpaError,
});
