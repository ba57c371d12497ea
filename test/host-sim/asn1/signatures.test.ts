import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { concat, hex, tokenDo, unhex } from '../../../host-sim/asn1/index.js';
import { signedByEuicc } from '../../../host-sim/eim/verification.js';
import { sign as euiccSign, verifyEim } from '../../../host-sim/euicc/crypto.js';
import { makePki, publicPoint, sign, verify } from '../../../host-sim/pki/index.js';
import { seeded } from '../../../host-sim/random.js';
import * as v from './vectors.js';

describe('signatures of crypto.md §7.1', () => {
  it('public points belong to the private keys', () => {
    expect(hex(publicPoint(v.eimPrivateKey))).toBe(hex(v.eimPublicPoint));
    expect(hex(publicPoint(v.euiccPrivateKey))).toBe(hex(v.euiccPublicPoint));
  });

  it('what the eIM signs: the package, then the token DO', () => {
    const signed = concat([v.euiccPackageSigned, tokenDo(undefined)]);
    expect(hex(sha256(signed))).toBe('AF928D4CA304046635603D54C196B69DAEE30470FB30483915F9EEEF56FF21D8');
  });

  it.each([
    ['the eIM without token', v.eimPrivateKey, v.euiccPackageSigned, undefined, v.eimSignature],
    ['the eIM with token 200', v.eimPrivateKey, v.euiccPackageSigned, 200, v.eimSignatureToken200],
    ['the eUICC', v.euiccPrivateKey, v.resultDataSigned, undefined, v.euiccSignature],
  ])('%s', (_who, key, data, token, signature) => {
    // Deterministic ECDSA (RFC 6979): both signers of the simulator come to the same bytes.
    expect(hex(sign(key, data, tokenDo(token)))).toBe(hex(signature));
    expect(hex(euiccSign(key, data, tokenDo(token)))).toBe(hex(signature));
    const point = publicPoint(key);
    expect(verify(point, signature, data, tokenDo(token))).toBe(true);
    expect(verifyEim(point, signature, data, token)).toBe(true);
  });

  it('nothing else is covered by them', () => {
    const changed = Uint8Array.from(v.euiccPackageSigned);
    changed[changed.length - 1] ^= 1;
    expect(verifyEim(v.eimPublicPoint, v.eimSignature, changed, undefined)).toBe(false);
    expect(verifyEim(v.eimPublicPoint, v.eimSignature, v.euiccPackageSigned, 200)).toBe(false);
    expect(verifyEim(v.euiccPublicPoint, v.eimSignature, v.euiccPackageSigned, undefined)).toBe(false);
    expect(verifyEim(v.eimPublicPoint, v.eimSignatureToken200, v.euiccPackageSigned, 200)).toBe(true);
    expect(verifyEim(v.eimPublicPoint, unhex('00'), v.euiccPackageSigned, undefined)).toBe(false);
  });

  it('a result signed over an unsigned token or over eimSignature is accepted by the eIM (Q12, Q44)', async () => {
    const pki = await makePki({ eid: hex(v.eid), eims: [], now: Date.UTC(2026, 0, 1), random: seeded(1) });
    const { certificate, privateKey } = pki.euicc;
    const by = (...ends: Uint8Array[]) => sign(privateKey, v.resultDataSigned, ...ends);
    const accepted = (signature: Uint8Array, token: number | undefined, eimSignature?: Uint8Array) =>
      signedByEuicc(certificate, v.resultDataSigned, signature, token, eimSignature);
    expect(accepted(by(tokenDo(200)), 200)).toBe(true);
    expect(accepted(by(unhex('8401C8')), 200)).toBe(true);
    expect(accepted(by(unhex('8401C8')), 201)).toBe(false);
    const v10 = by(unhex('5F3740'), v.eimSignature);
    expect(accepted(v10, undefined, v.eimSignature)).toBe(true);
    expect(accepted(v10, undefined)).toBe(false);
  });
});
