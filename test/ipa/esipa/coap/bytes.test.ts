import { expect, it } from 'vitest';
import { BETA, GAMMA, World } from '../../../support/world.js';

/** Bytes and datagrams of what `run` does, both ways, IP and UDP headers included. */
async function measure(world: World, run: () => Promise<unknown>) {
  const before = { ...world.udp.sent };
  await run();
  const { up, down, bytes } = world.udp.sent;
  return { datagrams: up + down - before.up - before.down, bytes: bytes - before.bytes };
}

/** Five packages in one poll, or injected. */
function fivePackages(world: World, mode: 'retrieval' | 'injection'): Promise<unknown> {
  const outcomes = [
    { psmo: [{ op: 'listProfileInfo' }] },
    { psmo: [{ op: 'getRAT' }] },
    { psmo: [{ op: 'setFallbackAttribute', iccid: GAMMA }] },
    { psmo: [{ op: 'setDefaultDpAddress', address: 'smdp.example.com' }] },
    { eco: [{ op: 'listEim' }] },
  ] as const;
  const all = outcomes.map((order) => world.eim.order(order, { mode }));
  if (mode === 'retrieval') world.ipad.poll();
  const isDone = () => world.ipad.state === 'idle' && world.euicc.results.length === 0;
  return world.wait(Promise.all(all)).then(() => world.until(isDone, 'everything acknowledged'));
}

it.each([
  ['CoAP', false, { poll: 140, packages: 2_800, injected: 2_200 }],
  ['CoAP over DTLS with a connection id', true, { poll: 200, packages: 3_400, injected: 3_000 }],
] as const)('%s: bytes on the wire', async (name, dtls, most) => {
  const world = await World.idle({ transport: 'coap', dtls });
  const poll = await measure(world, () => world.poll());
  const enable = await measure(world, () => world.order({ psmo: [{ op: 'enable', iccid: BETA }] }));
  const packages = await measure(world, () => fivePackages(world, 'retrieval'));
  const injected = await measure(world, () => fivePackages(world, 'injection'));
  const text = [
    ['empty poll', poll],
    ['enable and report', enable],
    ['five packages', packages],
    ['five packages, injected', injected],
  ] as const;
  process.stdout.write(
    `${name}: ${text.map(([what, { bytes, datagrams }]) => `${what} ${bytes} B in ${datagrams}`).join(', ')}\n`,
  );
  expect(poll.datagrams).toBe(2);
  expect(poll.bytes).toBeLessThanOrEqual(most.poll);
  expect(packages.bytes).toBeLessThanOrEqual(most.packages);
  expect(injected.bytes).toBeLessThanOrEqual(most.injected);
  // Five packages, and one acknowledgement for all.
  expect(injected.datagrams).toBe(12);
  await world.stop();
});
