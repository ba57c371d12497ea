import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, hex, IsdrFci, unhex } from '../../../host-sim/asn1/index.js';
import * as v from '../asn1/vectors.js';
import { associated, CardDriver, packageOf, seeds, sw } from './fixture.js';

const selectIsdr = (cla: string) => `${cla}A4040010A0000005591010FFFFFFFF8900000100`;

describe('logical channels', () => {
  it('are given out in order and run out', () => {
    const driver = new CardDriver({ channelCount: 3 });
    expect(driver.send('0070000001')).toBe('019000');
    expect(driver.send('0070000000')).toBe('029000');
    expect(driver.send('00700000')).toBe('6C01');
    expect(driver.send('0070000005')).toBe('6C01');
    expect(driver.send('0070000001')).toBe('039000');
    expect(driver.send('0070000001')).toBe('6A81');
    expect(driver.send('00708002')).toBe('9000');
    expect(driver.send('0070800200')).toBe('6881');
    expect(driver.send('00700002')).toBe('9000');
    expect(driver.send('00700002')).toBe('6A81');
    expect(driver.send('00708000')).toBe('6A86');
    driver.card.reset();
    expect(driver.send('01F2000000')).toBe('6881');
  });

  it('may begin at 4 and above', () => {
    const driver = new CardDriver({ firstChannel: 5 });
    driver.bringUp();
    expect(driver.channel).toBe(5);
    expect(driver.cla(0x80)).toBe(0xc1);
    expect(hex(driver.es10(unhex('BF3E035C015A')))).toBe(`BF3E125A10${hex(v.eid)}`);
  });
});

describe('SELECT of the ISD-R', () => {
  it('answers with FCI over GET RESPONSE', () => {
    const driver = new CardDriver();
    const first = driver.send(selectIsdr('00'));
    expect(first.slice(0, 2)).toBe('61');
    const fci = unhex(driver.send(`00C00000${first.slice(2)}`));
    expect(sw(fci)).toBe(0x9000);
    expect(decode(IsdrFci, fci.subarray(0, -2))).toEqual({
      dfName: unhex('A0000005591010FFFFFFFF8900000100'),
      proprietaryData: { maxCommandLength: unhex('FF') },
      isdrProprietaryApplicationTemplateIoT: { capabilities: ['enabledProfile'] },
    });
    const none = new CardDriver({ profiles: [seeds[0]] });
    expect(none.send(selectIsdr('00')).slice(0, 2)).toBe('61');
    expect(none.send('00C0000000').slice(-14, -4)).toBe('E103800100');
  });
  it('says no to what is not there', () => {
    const driver = new CardDriver();
    expect(driver.send('00A4040007A0000001510000')).toBe('6A82');
    expect(driver.send('00A4020002 2FE2')).toBe('6A86');
    expect(driver.send(selectIsdr('00').replace('A40400', 'A40401'))).toBe('6A86');
    expect(driver.send(selectIsdr('00').replace('A40400', 'A4040C'))).toBe('9000');
    expect(driver.send('80E2910003BF2000')).toBe('6985');
  });
});

describe('TERMINAL CAPABILITY', () => {
  it('without the IPAd bit ES10 is refused, and so after every reset', () => {
    const driver = new CardDriver();
    driver.send(selectIsdr('00'));
    expect(driver.send('80E2910003BF2000')).toBe('6985');
    expect(driver.send('80AA000005A903830107')).toBe('9000');
    expect(driver.send('80E2910003BF2000')).toBe('6985');
    expect(driver.send('80AA000008A906830107840101')).toBe('9000');
    expect(driver.send('80E2910003BF2000').slice(0, 2)).toBe('61');
    expect(driver.send('80AA000005A903830107')).toBe('9000');
    expect(driver.send('80E2910003BF2000')).toBe('6985');
    driver.send('80AA000005A903840101');
    driver.card.reset();
    driver.send(selectIsdr('00'));
    expect(driver.send('80E2910003BF2000')).toBe('6985');
    expect(driver.send('80AA0000020102')).toBe('6A80');
    expect(driver.send('80AA0000020101 00')).toBe('6A80');
  });
});

describe('STORE DATA', () => {
  it('takes blocks in order only', () => {
    const driver = new CardDriver();
    driver.bringUp();
    const c = hex(Uint8Array.of(driver.cla(0x80)));
    driver.expect(`${c}E21100 02 BF3E`, '9000');
    // Block 1 is due, not 2; a wrong block ends the command.
    expect(driver.send(`${c}E29102 04 035C015A`)).toBe('6A86');
    expect(driver.send(`${c}E29101 04 035C015A`)).toBe('6A86');
    driver.expect(`${c}E21100 02 BF3E`, '9000');
    expect(driver.send(`${c}E29101 04 035C015A`)).toBe('6115');
    expect(driver.send('01C0000015')).toBe(`BF3E125A10${hex(v.eid)}9000`);
    expect(driver.send(`${c}E29100 02 BF3E`)).toBe('6A80');
    expect(driver.send(`${c}E21200 02 BF3E`)).toBe('6A86');
    expect(driver.send(`${c}E29100`)).toBe('6700');
  });

  it('forgets blocks when something else comes', () => {
    const driver = new CardDriver();
    driver.bringUp();
    driver.expect('81E2110002BF3E', '9000');
    driver.send('01F2000000');
    expect(driver.send('81E2910104035C015A')).toBe('6A86');
  });

  it('needs the ISD-R, a known function and room', () => {
    const driver = new CardDriver({ maxCommandBytes: 4 });
    expect(driver.send('80E2910003BF2000')).toBe('6D00');
    driver.bringUp();
    expect(driver.es10Sw('BF5A038001FF')).toBe(0x6a84);
    expect(driver.es10Sw('BF2000') >> 8).toBe(0x61);
  });

  it('answers 6A88 for what it does not have', () => {
    const driver = new CardDriver();
    driver.bringUp();
    for (const tag of ['BF29', 'BF31', 'BF32', 'BF33', 'BF5B', 'BF7F01', '30']) {
      expect(driver.es10Sw(`${tag}00`)).toBe(0x6a88);
    }
  });

  it('splits long responses', () => {
    const driver = associated();
    driver.es10(packageOf({ psmo: [{ listProfileInfo: {} }] }, { counterValue: 1 }));
    const first = driver.send('81E2910007BF2B04A0028200');
    expect(first).toBe('6100');
    const piece = unhex(driver.send('01C0000000'));
    expect(piece.length).toBe(258);
    expect(piece[256]).toBe(0x61);
    const left = piece[257];
    expect(driver.send(`01C00000${hex(Uint8Array.of(left + 1))}`)).toBe(`6C${hex(Uint8Array.of(left))}`);
    expect(unhex(driver.send('01C0000001'))[2]).toBe(left - 1);
    const last = unhex(driver.send('01C0000000'));
    expect(sw(last)).toBe(0x9000);
    expect(last.length).toBe(left - 1 + 2);
    expect(driver.send('01C0000000')).toBe('6F00');
  });

  it('may refuse between a switch and its reset', () => {
    const driver = associated({ blockedUntilReset: true });
    driver.es10(v.euiccPackageRequest);
    expect(driver.es10Sw('BF2000')).toBe(0x6985);
    driver.card.reset();
    driver.bringUp();
    expect(driver.es10Sw('BF2000') >> 8).toBe(0x61);
  });
});

describe('files', () => {
  it('EF_ICCID and EF_IMSI follow the enabled profile', () => {
    const driver = associated();
    expect(driver.send('00A40004022FE2').slice(0, 2)).toBe('61');
    expect(driver.send('00B000000A')).toBe('980000000000000010F19000');
    expect(driver.send('00B0000000')).toBe('980000000000000010F19000');
    expect(driver.send('00B00009 05')).toBe('6C01');
    expect(driver.send('00B0000A01')).toBe('6B00');
    expect(driver.send('00A4000C027FF0')).toBe('9000');
    expect(driver.send('00A4000C026F07')).toBe('9000');
    expect(driver.send('00B0000009')).toBe('0839016200000000109000');
    expect(driver.send('00A4000C026F08')).toBe('6A82');
    expect(driver.send('00A4080C047FF06F07')).toBe('9000');
    expect(driver.send('00A4040C0CA0000000871002FFFFFFFF89')).toBe('9000');
  });

  it('without an enabled profile there is no subscription', () => {
    const driver = new CardDriver({ profiles: [seeds[0]] });
    expect(driver.send('00A4000C022FE2')).toBe('9000');
    expect(driver.send('00B000000A')).toBe(`${'FF'.repeat(10)}9000`);
    expect(driver.send('00A4000C026F07')).toBe('6A82');
    expect(driver.send('00A4000C027F20')).toBe('6A82');
    expect(driver.send('00A4040C07A0000000871002')).toBe('6A82');
    expect(driver.send('00A4000C023F00')).toBe('9000');
    expect(driver.send('00B0000000')).toBe('6986');
  });

  it('14 digits of IMSI have even parity', () => {
    const driver = new CardDriver({ profiles: [{ ...seeds[2], enabled: true }] });
    driver.send('00A4000C026F07');
    expect(driver.send('00B0000009')).toBe('0801101000000000F19000');
  });
});

describe('toolkit', () => {
  it('91xx shows on every success until the REFRESH is fetched', () => {
    const driver = associated();
    driver.es10(v.euiccPackageRequest);
    expect(driver.send('80F2000C')).toBe('910B');
    expect(driver.send('8012000005')).toBe('6C0B');
    expect(driver.send('80120000')).toBe('6C0B');
    expect(driver.send('801200000B')).toBe('D0098103010104820281829000');
    expect(driver.send('801200000B')).toBe('6F00');
    expect(driver.send('80F2000C')).toBe('9000');
  });
});

describe('malformed and unknown APDUs', () => {
  it.each([
    ['00A4', '6700'],
    ['00A404', '6700'],
    ['00A4040005A0', '6700'],
    ['00A404000000', '6700'],
    ['04A40000', '6E00'],
    ['A0A40000', '6E00'],
    ['5000', '6700'],
    ['50F20000', '6E00'],
    ['00CA0000', '6D00'],
    ['80CA0000', '6D00'],
    ['03F20000', '6881'],
    ['00B08100', '6A86'],
    ['00A4000001 3F', '6A80'],
  ])('%s → %s', (command, answer) => {
    expect(new CardDriver().send(command)).toBe(answer);
  });

  it('always end in a status word', () => {
    const driver = associated();
    const ins = fc.constantFrom(0x70, 0xa4, 0xb0, 0xc0, 0xe2, 0xaa, 0x10, 0x12, 0x14, 0xf2);
    const tags = [
      'BF20',
      'BF28',
      'BF2B',
      'BF2D',
      'BF30',
      'BF3E',
      'BF51',
      'BF55',
      'BF56',
      'BF57',
      'BF58',
      'BF59',
      'BF5D',
      'BF64',
      'BF65',
    ];
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.constantFrom(...tags), fc.uint8Array({ maxLength: 30 })).map(([tag, body]) => {
        return unhex(tag + hex(Uint8Array.of(body.length)) + hex(body));
      }),
    );
    const shaped = fc
      .tuple(
        fc.constantFrom(0x00, 0x01, 0x80, 0x81),
        ins,
        fc.constantFrom(0, 0x11, 0x91, 4),
        fc.constantFrom(0, 0, 1, 4),
        payload,
      )
      .map(([cla, i, p1, p2, data]) => Uint8Array.of(cla, i, p1, p2, data.length, ...data));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 20 }), shaped), (command) => {
        const answer = driver.card.transmit(command);
        expect(answer.length).toBeGreaterThanOrEqual(2);
        expect(answer.length).toBeLessThanOrEqual(258);
        // Whatever the commands did, the card can be brought up.
        if (sw(driver.card.transmit(unhex('80AA000005A903840101'))) >> 8 === 0x68) driver.card.reset();
      }),
      { numRuns: 5000 },
    );
    driver.card.reset();
    driver.bringUp();
    expect(hex(driver.es10(unhex('BF3E035C015A')))).toBe(`BF3E125A10${hex(v.eid)}`);
  });

  it('mutated packages end in a status word or an answer', () => {
    const driver = associated();
    fc.assert(
      fc.property(fc.nat(v.euiccPackageRequest.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Uint8Array.from(v.euiccPackageRequest);
        if (bytes[at] === byte) return;
        bytes[at] = byte;
        try {
          driver.es10(bytes, 255);
        } catch (error) {
          // 6985: it has become a Bound Profile Package, for which there is no session.
          expect((error as Error).message).toMatch(/^status word 6(A8|985)/);
        }
        expect(driver.card.eims[0].counterValue).toBe(0);
        expect(driver.card.results).toHaveLength(0);
      }),
      { numRuns: 300 },
    );
  });
});
