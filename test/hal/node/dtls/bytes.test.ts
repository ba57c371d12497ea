import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { dtlsCertificate } from '../../../../hal/node/dtls/index.js';
import { ownTls } from '../../../../host-sim/cli/eim-tls.js';
import { VirtualClock } from '../../../../host-sim/clock.js';
import { makePki } from '../../../../host-sim/pki/index.js';
import { seeded } from '../../../../host-sim/random.js';
import { type DtlsWorldOptions, dtlsWorld, say } from './world.js';

const NAME = 'eim.example.com';

/** Bytes and datagrams of a handshake, IPv4 and UDP headers included: what the first datagram costs more than the second. */
async function measure(options: DtlsWorldOptions) {
  const { clock, socket, network, heard } = dtlsWorld(options);
  const one = socket();
  const costs = [];
  for (const text of ['a', 'b']) {
    const before = { ...network.sent };
    say(one, text);
    await clock.advance(100);
    const { up, down, bytes } = network.sent;
    costs.push({ datagrams: up + down - before.up - before.down, bytes: bytes - before.bytes });
  }
  expect(heard).toEqual(['re: a', 're: b']);
  return { datagrams: costs[0].datagrams - costs[1].datagrams, bytes: costs[0].bytes - costs[1].bytes };
}

it('bytes of a handshake', async () => {
  const { now } = new VirtualClock();
  const eims = [{ eimId: NAME, eimIdType: 2, eimFqdn: NAME }] as const;
  const pki = await makePki({ eid: '89049032123451234512345678901235', eims, now, random: seeded(1) });
  const tls = ownTls({ credentials: pki.eims[0], pki, now });
  const certificate = dtlsCertificate(tls.cert, tls.key);
  const { raw, publicKey } = new X509Certificate(tls.cert);
  const pin = publicKey.export({ type: 'spki', format: 'der' });
  const psk = await measure({ now });
  const rawKey = await measure({ now, certificate, peer: { trust: { pin }, name: NAME } });
  const whole = await measure({
    now,
    certificate,
    peer: { trust: { roots: pki.ciCertificates }, name: NAME },
  });
  const text = [
    ['pre-shared key', psk],
    ['raw public key', rawKey],
    [`certificate of ${raw.length} B`, whole],
  ] as const;
  process.stdout.write(
    `DTLS handshake: ${text.map(([what, { bytes, datagrams }]) => `${what} ${bytes} B in ${datagrams}`).join(', ')}\n`,
  );
  for (const { datagrams } of [psk, rawKey, whole]) expect(datagrams).toBe(6);
  expect(psk.bytes).toBeLessThan(700);
  expect(rawKey.bytes).toBeLessThan(1_200);
  // An ECDSA signature varies by some bytes.
  expect(whole.bytes - rawKey.bytes).toBeGreaterThan(raw.length - pin.length - 20);
});
