import { describe, expect, it } from 'vitest';
import { runCardCommand } from '../../firmware/card-commands.js';
import { SettingsConsole } from '../../firmware/console.js';
import { Provisioning } from '../../firmware/provisioning.js';
import type { SerialOptions, SerialPort } from '../../hal/contracts/index.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import { nameProfile } from '../../ipa/procedures/index.js';
import { ALPHA, BETA, SMDP, World } from '../support/world.js';

const ICCID = '8988211000000123456';

/** A device with a consumer eUICC, and a person at its console. */
async function setUp(kind: 'consumer' | 'iot' = 'consumer') {
  const world = await World.make({
    card: { kind },
    direct: true,
    associated: kind === 'iot',
    settings: { localNotifications: false },
  });
  world.startIpa();
  await world.untilState(kind === 'iot' ? 'idle' : 'local');
  await world.until(() => world.modem.registered, 'a network');
  let options: SerialOptions | undefined;
  let incoming = Buffer.alloc(0);
  let shown = '';
  class Terminal implements SerialPort {
    constructor(given: SerialOptions) {
      options = given;
    }
    read(buffer: Uint8Array): number {
      const count = Math.min(buffer.length, incoming.length);
      buffer.set(incoming.subarray(0, count));
      incoming = incoming.subarray(count);
      return count;
    }
    write(buffer: Uint8Array): void {
      shown += Buffer.from(buffer).toString('latin1');
      options?.onWritable?.(1_000);
    }
    close(): void {}
  }
  new SettingsConsole({
    serial: { io: Terminal },
    provisioning: new Provisioning(new MemoryKeyValue()),
    onCard: (command, name, value) =>
      runCardCommand((operation) => world.ipad.perform(operation), command, name, value),
  });
  options?.onWritable?.(1_000);
  return {
    world,
    /** Types a line and waits for `count` lines. */
    async type(text: string, count = 1): Promise<string[]> {
      shown = '';
      incoming = Buffer.from(`${text}\r`, 'latin1');
      options?.onReadable?.(incoming.length);
      await world.until(() => shown.split('\r\n').length > count, text);
      return shown.split('\r\n').slice(0, -1);
    },
  };
}

describe('the console of a device with a consumer eUICC', () => {
  it('lists, names, switches and deletes', async () => {
    const { world, type } = await setUp();
    expect(await type('list', 3)).toEqual([
      `${ALPHA} enabled  Alpha Mobile Alpha Mobile IoT`,
      `${BETA} disabled Beta Cellular Beta Cellular IoT`,
      expect.stringContaining('disabled Gamma Roam'),
    ]);
    expect(await type(`nickname ${BETA} my meter`)).toEqual(['ok']);
    expect((await type('list', 3))[1]).toBe(`${BETA} disabled my meter`);
    expect(await type(`enable ${BETA}`)).toEqual(['ok']);
    expect(world.enabled).toBe(BETA);
    expect(await type(`delete ${BETA}`)).toEqual([expect.stringMatching(/^error: .*disable it first/)]);
    expect(await type(`disable ${BETA}`)).toEqual(['ok']);
    expect(await type(`delete ${BETA}`)).toEqual(['ok']);
    expect(await type('list', 2)).toHaveLength(2);
    expect(await type('notifications', 4)).toEqual([
      `1 disable ${ALPHA} for smdp.alpha.example`,
      `2 enable ${BETA} for smdp.beta.example`,
      `3 disable ${BETA} for smdp.beta.example`,
      `4 delete ${BETA} for smdp.beta.example`,
    ]);
    expect(await type('notifications remove 1')).toEqual(['ok']);
    expect(await type('notifications remove')).toEqual([expect.stringContaining('number')]);
    expect(await type('notifications', 3)).toHaveLength(3);
    await world.stop();
  });

  it('adds a profile by its activation code, and tells its SM-DP+', async () => {
    const { world, type } = await setUp();
    const { matchingId } = world.smdp.order({ iccid: ICCID, profileSize: 2_000, confirmationCode: '12 34' });
    expect(await type('add 2$x')).toEqual([expect.stringContaining('error: ')]);
    expect(await type(`add 1$${SMDP}$${matchingId}$$1 12 34`)).toEqual([`installed ${ICCID}`]);
    expect(await type('notifications')).toEqual([`1 install ${ICCID} for ${SMDP}`]);
    expect(await type('notifications send')).toEqual(['sent 1']);
    expect(await type('notifications')).toEqual(['none wait']);
    await world.stop();
  });

  it('shows no name that steers the terminal', async () => {
    const { world, type } = await setUp();
    await world.wait(world.ipad.perform((context) => nameProfile(context, ALPHA, '\x1b[2J\u00e9')));
    expect((await type('list', 3))[0]).toBe(`${ALPHA} enabled  ?[2J?`);
    await world.stop();
  });
});

it('the console of a device with an IoT eUICC says who may', async () => {
  const { world, type } = await setUp('iot');
  expect(await type(`enable ${BETA}`)).toEqual([expect.stringMatching(/^error: .*eIM/)]);
  expect(await type('list', 3)).toHaveLength(3);
  await world.stop();
});
