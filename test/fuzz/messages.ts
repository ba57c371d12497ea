import { hex } from '../hex.js';
import type { Draft, Mutator } from './mutate.js';
import type { Random } from './random.js';

/** crypto.md §7.1 */
const EUICC_PACKAGE =
  'BF51818F304A800F65696D2E6578616D706C652E636F6D5A108904903212345123451234567890123581012A8210000102030405060708090A0B0C0D0E0FA010A30E5A0A9800103254769810321405005F3740837237F1905F99D10F4C9283AE34751F15402B9EDBB14B5EC89A6AA4E9972489302F92B5CECFE9135298893848A8A3CCBF050DC75EBBC561E37E53C64643A899';
const PACKAGE_RESULT =
  'BF5175A073302E800F65696D2E6578616D706C652E636F6D81012A8210000102030405060708090A0B0C0D0E0F83010730038301005F374089D8D6B2ADBC3C8A9F9EDDA885D10027D2196C329433FAE0EB9D384940E782568516A54416EBF8A8A4FC68DBF6453C75D70FCDA77611778B415A185FBF89BDDF';
const UNSIGNED_ERROR = 'BF5125A223800F65696D2E6578616D706C652E636F6D8210000102030405060708090A0B0C0D0E0F';
/** esipa.md §3.3 */
const DOWNLOAD_TRIGGER =
  'BF543EA02AA02880 18 24736D64702E6578616D706C652E636F6D244D41544348 820A0102030405060708090A 8210000102030405060708090A0B0C0D0E0F'.replaceAll(
    ' ',
    '',
  );
const DATA_REQUEST = 'BF520C5C065A9F70BF20BF228302ABCD';

/** Messages of es10.md §5 and crypto.md §7. */
export const ES10_MESSAGES = [
  'BF3E035C015A',
  'BF3E125A1089049032123451234512345678901235',
  'BF2D0F5C0D5A4F9F709192959F7B9F269F67',
  'BF2D32A030E32E5A0A980010325476981032144F10A0000005591010FFFFFFFF89000011009F7001019102535092034F7031950102',
  'BF3111A00C5A0A980010325476981032148101FF',
  'BF2B06A0048002012C',
  'BF2B04A0028200',
  'BF3003800105',
  'BF41158010000102030405060708090A0B0C0D0E0F810100',
  'BF578192A0818F30818C800F65696D2E6578616D706C652E636F6D810F65696D2E6578616D706C652E636F6D8201028301008401FFA55BA059301306072A8648CE3D020106082A8648CE3D03010703420004F405BF234F105D2DCB42C6C4A4805E40EBE33E8B18D82D7AFE0B551C4116ED4D162866ECBA528576BBAAF6057E8621C9773EE93D064CDD6650A5F66B6737A7EB87020780',
  'BF5706A004840200C8',
  'BF5513A011800F65696D2E6578616D706C652E636F6D',
  'BF640482020284',
  'BF37819EBF275880100102030405060708090A0B0C0D0E0F10BF2F25800101810200800C10736D64702E6578616D706C652E636F6D5A0A9800103254769810321406028837A218A0164F10A0000005591010FFFFFFFF8900001100040230005F3740DE267B67FD171D43B84A0280C67AB2CF692D9B42925A1000FB74D10C6C85F9852ED6451D561F2435ED7E49280FDFDB8AD940E5C57981B0C24288774466406599',
  '304880100102030405060708090A0B0C0D0E0F108110AABBCCDDEEFF001122334455667788998310736D64702E6578616D706C652E636F6D8410F0E1D2C3B4A5968778695A4B3C2D1E0F',
  EUICC_PACKAGE,
  PACKAGE_RESULT,
  UNSIGNED_ERROR,
].map(hex);

/** What an eIM sends: packages in each envelope, answers, acknowledgements (esipa.md §2, §3). */
export const EIM_MESSAGES = [
  'BF4F03020101',
  'BF5000',
  'BF50023000',
  'BF5003020102',
  'BF5006BF5303800107',
  'BF5009BF5306800107800108',
  ...['BF4F', 'BF4E', 'BF50'].flatMap((envelope) =>
    [EUICC_PACKAGE, DATA_REQUEST, DOWNLOAD_TRIGGER, 'BF5303800107', 'BF5400', 'BF3000'].map((body) =>
      wrap(envelope, body),
    ),
  ),
  PACKAGE_RESULT,
].map(hex);

/** Bytes of tags and lengths that matter. */
export const TLV_ALPHABET = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x1f, 0x30, 0x37, 0x3f, 0x5a, 0x5f, 0x7f, 0x80, 0x81, 0x82, 0x83,
  0x84, 0x85, 0x88, 0x9f, 0xa0, 0xa1, 0xa3, 0xbf, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0xff,
];

function wrap(tag: string, body: string): string {
  const length = body.length / 2;
  const field = (length < 0x80 ? '' : '81') + length.toString(16).padStart(2, '0');
  return tag + field + body;
}

/** Makes a length field lie: goes down the message to some element and changes what its length says. */
const tamperLength: Mutator = (draft, random) => {
  const at = lengthField(draft, random);
  if (at < 0) return;
  const { bytes } = draft;
  switch (random.below(5)) {
    case 0:
      bytes[at]++;
      break;
    case 1:
      bytes[at]--;
      break;
    case 2:
      bytes[at] = 0x80 | random.below(6);
      break;
    case 3:
      bytes[at] = 0x80;
      break;
    default:
      bytes[at] = random.below(256);
  }
};

/** Offset of the length of an element some levels down; −1 when there is none. */
function lengthField({ bytes, length }: Draft, random: Random): number {
  let found = -1;
  let at = 0;
  for (let steps = random.below(12); steps >= 0 && at < length; steps--) {
    const constructed = (bytes[at] & 0x20) !== 0;
    if ((bytes[at++] & 0x1f) === 0x1f) while (at < length && bytes[at++] >= 0x80);
    if (at >= length) break;
    found = at;
    const first = bytes[at++];
    if (first > 0x80) at += first & 0x7f;
    if (!constructed || random.below(4) === 0) at += first < 0x80 ? first : bytes[at - 1];
  }
  return found;
}

/** Puts up to twenty correct constructed headers around the message. */
const nest: Mutator = (draft, random) => {
  const { bytes } = draft;
  for (let levels = 1 + random.below(20); levels > 0; levels--) {
    const { length } = draft;
    const header = length < 0x80 ? 2 : 4;
    if (length + header > bytes.length) return;
    bytes.copyWithin(header, 0, length);
    bytes[0] = random.below(2) ? 0x30 : 0xa0;
    if (header === 2) bytes[1] = length;
    else {
      bytes[1] = 0x82;
      bytes[2] = length >> 8;
      bytes[3] = length;
    }
    draft.length = length + header;
  }
};

export const TLV_MUTATORS = [tamperLength, tamperLength, nest];
