import { concat, unhex, writeElement } from '../../../host-sim/asn1/index.js';
import * as session from '../asn1/rsp-session.js';

// What the session of crypto.md §7.2 is made of, and the segments of §7.3.

export * from '../asn1/rsp-session.js';

export const sessionKeys = {
  initialMacChainingValue: session.initialMacChainingValue,
  sEnc: session.sEnc,
  sMac: session.sMac,
};
/** Fields of BF23 that smdpSign covers, as sent. */
export const initialiseFields = [
  unhex('820101'),
  writeElement(0x80, session.transactionId),
  unhex('A611800188810110840965756963632D727370'),
  writeElement(0x5f49, session.smdpOtpk),
];
export const initialiseSecureChannel = writeElement(
  0xbf23,
  concat([...initialiseFields, writeElement(0x5f37, session.smdpSign)]),
);
export const configureIsdp = unhex('BF2400');
/** BF25: what stands in 88 before the MAC. */
export const metadata = session.segment2.slice(2, -8);
export const boundProfilePackage = concat([
  unhex('BF36820139'),
  initialiseSecureChannel,
  unhex('A01A'),
  session.segment1,
  unhex('A13C'),
  session.segment2,
  unhex('A32A'),
  session.segment3,
]);

/** crypto.md §7.3: two key agreements and three segments of a commercial SM-DP+. */
export const thirdParty = {
  hostId: unhex('8080808080808080'),
  agreements: [
    {
      z: unhex('8902DCA391BBB22570FE60C176076246F568B1941265DFF1D729E63039658089'),
      eid: unhex('89049032123451234512345678901335'),
      keys: {
        initialMacChainingValue: unhex('734BC93DDB10C71C5AD13D420DC08B5B'),
        sEnc: unhex('D782D575B22A38334556A3D9A1E2AE6B'),
        sMac: unhex('A35ADDC192AE8F934E2932116C7E89E7'),
      },
    },
    {
      z: unhex('C9A993DD4879A8F7161F2085410EDD4F9652F1DF37BE097BA96BA2CA6BE528FE'),
      eid: unhex('89049032123451234512345678901235'),
      keys: {
        initialMacChainingValue: unhex('406D507B448A699E7A36A38494DEBBDE'),
        sEnc: unhex('472F5BFADD97F21D34F3CE9B51B92751'),
        sMac: unhex('9EC07F5B36A13E12A991D66E294E6242'),
      },
    },
  ],
  segments: [
    {
      tag: 0x87,
      plain: unhex('BF2400'),
      wire: unhex('8718F6FE031E4B9CFE87C8E1E62F3FDE85C49412D7722A6A2D89'),
    },
    {
      tag: 0x88,
      plain: unhex(
        'BF252D5A0A98001032547698103214910947534D415F54455354921147534D415F544553545F50524F46494C45950100',
      ),
      wire: unhex(
        '8838BF252D5A0A98001032547698103214910947534D415F54455354921147534D415F544553545F50524F46494C459501008A62CC9ADBB5CCBC',
      ),
    },
    {
      tag: 0x87,
      plain: unhex(
        'BF26368010000102030405060708090A0B0C0D0E0F8110010102030405060708090A0B0C0D0E0F8210020102030405060708090A0B0C0D0E0F',
      ),
      wire: unhex(
        '8748A14C800A001992351CD46AD2945654674369701D82B7B46567652BC8FBED234939FC57FBA748015525FD6C651E9D3D1330652D42A0CFAD950E912122AF4EC5362D3C0BC535729C40',
      ),
    },
  ],
} as const;
