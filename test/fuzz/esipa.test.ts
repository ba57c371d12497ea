import { dispatch, type Incoming, readAcknowledgements } from '../../ipa/esipa/dispatcher.js';
import { TlvError } from '../../ipa/tlv/index.js';
import { fuzz } from './fuzz.js';
import { EIM_MESSAGES, TLV_ALPHABET, TLV_MUTATORS } from './messages.js';

function checkView(view: Uint8Array | undefined, input: Uint8Array): void {
  if (!view) return;
  const start = view.byteOffset - input.byteOffset;
  if (view.buffer !== input.buffer || start < 0 || start + view.length > input.length)
    throw new Error('a view leads out of the message');
}

/** What a handler of each kind relies on. */
function check(found: Incoming): void {
  const complete = {
    euiccPackage: found.tag === 0xbf51 && found.eimId !== undefined && found.counterValue >= 0,
    dataRequest: found.tag === 0xbf52,
    acknowledgements: found.tag === 0xbf53,
    downloadTrigger: found.tag === 0xbf54,
    empty: found.envelope === 0xbf50,
    error: found.tag === 0x02 && Number.isSafeInteger(found.code),
    invalid: true,
    unknown: found.envelope !== 0,
  };
  if (!complete[found.kind]) throw new Error(`incomplete ${found.kind}`);
  if (found.envelope === 0 && found.kind !== 'invalid') throw new Error('a kind without envelope');
}

fuzz({
  name: 'ESipa dispatcher',
  messages: EIM_MESSAGES,
  alphabet: TLV_ALPHABET,
  mutators: TLV_MUTATORS,
  allows: (error) => error === REFUSED,
  run(input) {
    const found = dispatch(input);
    check(found);
    checkView(found.body, input);
    checkView(found.eimTransactionId, input);
    checkView(found.eimId, input);
    if (found.kind === 'acknowledgements') {
      try {
        const numbers = readAcknowledgements(found.body as Uint8Array);
        if (numbers.length > input.length / 3) throw new Error('more numbers than fit');
      } catch (error) {
        if (!(error instanceof TlvError)) throw error;
      }
    }
    if (found.kind === 'invalid') throw REFUSED;
  },
});

/** The dispatcher itself throws nothing; this only counts. */
const REFUSED = new Error('refused');
