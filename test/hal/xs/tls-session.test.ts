import { describe, expect, it } from 'vitest';
import { KeptSession } from '../../../hal/xs/moddable/tls-session.js';

const bytes = (...values: number[]): ArrayBuffer => Uint8Array.from(values).buffer;
const HOST = 'eim.example.com';

describe("the session that is kept for a server of the SDK's TLS", () => {
  it('is offered once there is one, and was taken up when identifier and secret are the same', () => {
    const kept = new KeptSession();
    expect(kept.getByHost()).toBeUndefined();
    kept.saveSession(HOST, bytes(1, 2), bytes(3, 4));
    expect(kept.isResumed).toBe(false);
    expect(kept.getByHost()).toEqual({ id: bytes(1, 2), secret: bytes(3, 4) });
    kept.saveSession(HOST, bytes(1, 2), bytes(3, 4));
    expect(kept.isResumed).toBe(true);
    // Until it is offered again.
    kept.getByHost();
    expect(kept.isResumed).toBe(false);
  });

  it.each([
    ['an identifier of its own', bytes(1, 3), bytes(3, 4)],
    ['a longer identifier', bytes(1, 2, 3), bytes(3, 4)],
    ['the identifier that was offered, and a secret of its own', bytes(1, 2), bytes(3, 5)],
  ])('was not taken up by a server with %s', (_what, id, secret) => {
    const kept = new KeptSession();
    kept.saveSession(HOST, bytes(1, 2), bytes(3, 4));
    kept.getByHost();
    kept.saveSession(HOST, id, secret);
    expect(kept.isResumed).toBe(false);
  });

  it('is offered no more when it was dropped', () => {
    const kept = new KeptSession();
    kept.saveSession(HOST, bytes(1), bytes(2));
    kept.drop();
    expect([kept.getByHost(), kept.isResumed]).toEqual([undefined, false]);
  });
});
