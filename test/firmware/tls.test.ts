import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { ownTls } from '../../host-sim/cli/eim-tls.js';
import { makePki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { buildProgram } from '../../tools/firmware/build.js';
import { EID, EIM, runEnable } from '../../tools/firmware/enable.js';
import { findSdk } from '../../tools/firmware/sdk.js';
import { LyingTls, type Proof } from './lying-tls.js';
import { describeWithSdk } from './with-sdk.js';

const root = process.cwd();

/** The firmware, told to trust the eIM's key, meets a server that shows its certificate. */
async function meet(socat: string, proof: Proof) {
  const eims = [{ eimId: EIM, eimIdType: 2 as const, eimFqdn: EIM }];
  const now = Date.now();
  // The keys are those of the eIM that runEnable makes: they come from the same seed.
  const pki = await makePki({ eid: EID, eims, now, random: seeded(1) });
  const { cert, key } = ownTls({ credentials: pki.eims[0], pki, now });
  const server = new LyingTls({ proof, certificate: new X509Certificate(cert).raw, key });
  const { program } = await buildProgram(root, findSdk(root), { tls: true });
  const said: string[] = [];
  try {
    const port = await server.listen();
    await runEnable({
      program,
      socat,
      link: 'https',
      settings: { route: `${EIM}=https://127.0.0.1:${port}` },
      patience: 6_000,
      onLine: (line) => said.push(line),
    });
  } finally {
    server.close();
  }
  return { server, said: said.join('\n') };
}

describeWithSdk("the firmware's TLS", ({ socat }) => {
  it('speaks to a server that proves its key', { timeout: 600_000 }, async () => {
    const { server, said } = await meet(socat, 'true');
    expect(server.heard, said).toContain('POST /gsma/rsp2/asn1');
  });

  it.each<[Proof, string]>([
    ['none', "the server's signature is none of ECDSA"],
    ['zeros', "the server's signature is none of ECDSA"],
    ['wrong', 'failed to verify signature'],
    ['twice', "the server's signature is none of ECDSA"],
    ['early', ''],
  ])('says nothing to a server whose proof is: %s', { timeout: 600_000 }, async (proof, reason) => {
    const { server, said } = await meet(socat, proof);
    expect(server.connections, said).toBeGreaterThan(0);
    expect(server.heard).toBe('');
    expect(said).toContain('no connection to the server');
    expect(said).toContain(reason);
  });

  it('says nothing to a server that takes up a session of another one, and begins anew without a proof', {
    timeout: 600_000,
  }, async () => {
    const { server, said } = await meet(socat, 'resumed');
    expect(server.offered, said).toBeGreaterThan(0);
    expect(server.heard).toBe('');
    expect(said).toContain('no connection to the server');
  });
});
