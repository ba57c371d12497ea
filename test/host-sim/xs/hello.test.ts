import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XsIpaError } from '../../../hal/contracts/index.js';
import { readHello, trustOfHello } from '../../../host-sim/xs/index.js';
import { HELLO, TrustKind } from '../../../host-sim/xs/wire.js';
import { helloBytes } from '../../xs/device/hello.js';

const hello = { name: 'eim.example.com', kind: TrustKind.publicKey, trusted: [Uint8Array.of(0x30, 1, 2)] };

describe('what a device says of its server', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9.-]{0,60}$/),
        fc.integer({ min: 0, max: TrustKind.roots }),
        fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 3 }),
        fc.boolean(),
        (name, kind, trusted, asHex) => {
          const written = trusted.map((der) => (asHex ? Buffer.from(der).toString('hex') : der));
          const bytes = helloBytes({ name, kind, trusted: written });
          const behind = Uint8Array.of(...bytes, 1, 2, 3);
          expect(readHello(behind)).toEqual({ hello: { name, kind, trusted }, length: bytes.length });
        },
      ),
    );
  });

  it('is waited for while it is not there whole', () => {
    const bytes = helloBytes(hello);
    for (let length = 0; length < bytes.length; length++)
      expect(readHello(bytes.subarray(0, length))).toBeUndefined();
    expect(readHello(bytes)?.hello).toEqual(hello);
  });

  it('is nothing else', () => {
    for (const bytes of [
      [0x16, 3, 1],
      [HELLO, 9, 0],
    ])
      expect(() => readHello(Uint8Array.from(bytes))).toThrow(XsIpaError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const length = readHello(bytes)?.length ?? 0;
          expect(length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toMatchObject({ code: 'badTrust' });
        }
      }),
    );
  });

  it('says whom to trust', () => {
    const [der] = hello.trusted;
    const of = (kind: number, trusted: Uint8Array[]) => trustOfHello({ name: '', kind, trusted });
    expect(of(TrustKind.system, [])).toEqual({ roots: 'system' });
    expect(of(TrustKind.publicKey, [der])).toEqual({ pin: der });
    expect(of(TrustKind.roots, [der, der])).toEqual({ roots: [der, der] });
    for (const trusted of [[der], []])
      expect(() => of(TrustKind.certificate, trusted)).toThrow('cannot be read');
  });
});
