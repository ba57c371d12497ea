import { describe, expect, it } from 'vitest';
import {
  beginHandleNotification,
  beginReply,
  dispatch,
  EimPackageError,
  EsipaTag,
  type Incoming,
  PackageFault,
  readAcknowledgements,
  StateChangeCause,
  writeDataError,
  writeFault,
  writeGetEimPackageRequest,
  writeReceived,
} from '../../../ipa/esipa/index.js';
import { digits, utf8 } from '../../../ipa/text.js';
import { Cursor, Writer } from '../../../ipa/tlv/index.js';
import { hex, toHex } from '../../hex.js';
import { esipaFixtures } from '../../host-sim/asn1/fixtures.js';
import * as v from '../../host-sim/asn1/vectors.js';
import { copyMessage } from '../es10/copy.js';

const { eid, txid } = v;
const vector = (title: string) => hex(esipaFixtures.find((one) => one.title === title)!.bytes);

/** What the IPA sends, made by ipa/esipa, or by the writer where ipa/esipa has no function for it. */
const written: Record<string, (to: Writer) => unknown> = {
  poll: (to) => writeGetEimPackageRequest(to, eid),
  'full poll': (to) => writeGetEimPackageRequest(to, eid, StateChangeCause.fallback, hex('62F210')),
  result: (to) => {
    beginReply(to, 'provide', eid);
    to.write(v.euiccPackageResult);
    to.end();
  },
  'error package': (to) => writeFault(to, 'provide', eid, PackageFault.unknownPackage, txid),
  capabilities: (to) => {
    to.begin(EsipaTag.ipaEuiccData).begin(0xa0).begin(0xa8);
    to.primitive(0x80, [2, 0x94]).primitive(0x81, [7, 0x80]).end().end().end();
  },
  'capabilities alone': (to) => to.begin(0xa8).primitive(0x80, [2, 0xc4]).end(),
  'trigger error': (to) => writeTriggerError(to.begin(EsipaTag.profileDownloadTrigger)),
  'trigger error as notification': (to) => {
    to.begin(EsipaTag.handleNotification).begin(EsipaTag.provideEimPackageResult).primitive(0x5a, eid);
    writeTriggerError(to.begin(EsipaTag.profileDownloadTrigger)).end().end();
  },
};

function writeTriggerError(to: Writer): Writer {
  return to.primitive(0x82, txid).begin(0x30).integer(0x80, 127).end().end();
}

const inside = (envelope: number, body: Uint8Array): Uint8Array => {
  const to = new Writer(64, 1024).begin(envelope);
  to.write(body);
  return to.end().bytes;
};

/** What dispatch() finds, bytes as text. */
function seen(message: Uint8Array): Record<string, unknown> {
  const { body, eimTransactionId, eimId, ...rest } = dispatch(message);
  return {
    ...rest,
    body: body && toHex(body),
    eimTransactionId: eimTransactionId && digits(eimTransactionId),
    eimId: eimId && utf8(eimId),
  };
}

const nothing: Partial<Incoming> = { code: 0, counterValue: -1, hasPsmo: false };

/** What the eIM sends: the message itself, or the package in both envelopes. */
const received: Record<string, Record<string, unknown>> = {
  'empty poll answer': { kind: 'error', code: EimPackageError.noEimPackageAvailable },
  'poll answer': {
    kind: 'euiccPackage',
    body: toHex(v.euiccPackageRequest),
    eimId: v.eimId,
    counterValue: 42,
    hasPsmo: true,
    eimTransactionId: toHex(txid),
  },
  acknowledgements: { ...nothing, kind: 'acknowledgements', body: 'BF530A8001018001028002012C' },
  'acknowledgement 7': { ...nothing, kind: 'acknowledgements', body: 'BF5303800107' },
  'empty response': { ...nothing, kind: 'empty' },
  'data request': { ...nothing, kind: 'dataRequest', eimTransactionId: toHex(txid) },
  'trigger with code': { ...nothing, kind: 'downloadTrigger', eimTransactionId: toHex(txid) },
  'default SM-DP+': { ...nothing, kind: 'downloadTrigger', eimTransactionId: undefined },
  'SM-DS': { ...nothing, kind: 'downloadTrigger', eimTransactionId: undefined },
  'empty trigger': { ...nothing, kind: 'downloadTrigger', eimTransactionId: undefined },
};

describe('vectors of esipa.md and crypto.md §7.1 in ipa/', () => {
  it.each(Object.entries(written))('writes %s', (title, write) => {
    // Full of the former message: writers of whole messages start over.
    const to = new Writer(4, 1024);
    write(to);
    expect(toHex(to.bytes)).toBe(toHex(vector(title)));
  });

  it.each(Object.entries(received))('reads %s', (title, expected) => {
    const message = vector(title);
    const tag = new Cursor(message).expect((message[0] << 8) | message[1]).tag;
    if (tag === EsipaTag.ipaEuiccData || tag === EsipaTag.profileDownloadTrigger) {
      const body = { ...expected, tag, body: toHex(message) };
      for (const envelope of [EsipaTag.getEimPackage, EsipaTag.transferEimPackage])
        expect(seen(inside(envelope, message))).toMatchObject({ ...body, envelope });
    } else {
      expect(seen(message)).toMatchObject({ ...expected, envelope: tag });
    }
  });

  it('every vector is written or read', () => {
    const known = Object.keys({ ...written, ...received });
    expect(known.sort()).toEqual(esipaFixtures.map(({ title }) => title).sort());
  });

  it.each(esipaFixtures)('$title, read and written again, is the same', ({ bytes }) => {
    expect(toHex(copyMessage(hex(bytes)))).toBe(bytes);
  });

  it('sequence numbers of acknowledgements', () => {
    expect(readAcknowledgements(dispatch(vector('acknowledgements')).body!)).toEqual([1, 2, 300]);
    expect(readAcknowledgements(dispatch(vector('acknowledgement 7')).body!)).toEqual([7]);
  });

  it('an injected package is the retrieved one in another envelope', () => {
    const injected = inside(EsipaTag.transferEimPackage, v.euiccPackageRequest);
    expect(toHex(injected)).toBe(`BF4E8193${toHex(v.euiccPackageRequest)}`);
    expect(seen(injected)).toEqual({ ...seen(vector('poll answer')), envelope: EsipaTag.transferEimPackage });
  });

  it('what has no example: answers to injections, data errors, notifications', () => {
    const to = new Writer(4, 1024);
    writeFault(to, 'transfer', eid, PackageFault.invalidPackageFormat, txid);
    expect(toHex(to.bytes)).toBe('BF4E03020101');
    writeReceived(to);
    expect(toHex(to.bytes)).toBe('BF4E020500');
    writeDataError(to, 'transfer', eid, 104);
    expect(toHex(to.bytes)).toBe('BF4E08BF5205A103020168');
    writeDataError(to, 'provide', eid, 1, txid);
    expect(toHex(to.bytes)).toBe(`BF502C5A10${toHex(eid)}BF5217A1158010${toHex(txid)}020101`);
    beginHandleNotification(to);
    to.write(hex('A00430020500'));
    to.end();
    expect(toHex(to.bytes)).toBe('BF3D06A00430020500');
    writeFault(to, 'provide', eid, PackageFault.undefinedError);
    expect(toHex(to.bytes)).toBe(`BF50175A10${toHex(eid)}A00302017F`);
  });
});
