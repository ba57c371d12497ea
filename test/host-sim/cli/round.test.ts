import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Line, type Running, Shell } from './run.js';

const EID = '89049032123451234512345678901235';
const ALPHA = '89000101000000000018';
const BETA = '89099970000000000025';

/** Ten times faster than real, without pacing, and polling every 0.1 s of real time. */
const fast = ['--speed', '10', '--baud', '0', '--poll-interval', '1'];

const idle = (line: Line) => line.event === 'state' && line.state === 'idle';

describe('eIM, device and orders as commands', () => {
  const shell = new Shell();
  let serve: Running;
  let device: Running;
  let broker = '';
  let control = '';

  async function startServe(...ports: string[]): Promise<void> {
    serve = shell.start('eim', 'serve', ...ports);
    const serving = await serve.line((line) => line.event === 'eim-serving');
    broker = String(serving.brokerUrl);
    control = String(serving.controlUrl);
  }

  async function startDevice(): Promise<void> {
    device = shell.start('device', '--broker', broker, '--eim-configuration', control, ...fast);
    await device.line(idle);
  }

  const order = (...args: string[]) => shell.json('eim', ...args, '--eim', control, '--eid', EID);

  beforeAll(async () => {
    await startServe('--broker-port', '0', '--control-port', '0');
    await startDevice();
  });
  afterAll(() => shell.close());

  it('lists, enables and reports, and the card shows it', async () => {
    const list = await order('list-profiles');
    expect(list).toMatchObject({ status: 0, value: { outcome: 'verified', ok: true, eid: EID } });
    const [{ profiles }] = list.value.results as [{ profiles: Line[] }];
    expect(profiles.map(({ iccid, profileState }) => [iccid, profileState])).toEqual([
      [ALPHA, 'enabled'],
      [BETA, 'disabled'],
      ['89000102000000000032', 'disabled'],
    ]);
    expect(await order('enable', '--iccid', BETA)).toMatchObject({
      status: 0,
      value: { results: [{ op: 'enable', ok: true }] },
    });
    const card = await shell.json('card', 'show');
    expect(card.value.eid).toBe(EID);
    expect(card.value.eims).toEqual([
      { eimId: 'eim.example.com', eimFqdn: 'eim.example.com', associationToken: 1 },
    ]);
    const enabled = (card.value.profiles as Line[]).filter(({ profileState }) => profileState === 'enabled');
    expect(enabled.map(({ iccid }) => iccid)).toEqual([BETA]);
  });

  it('tells people the same in a table', async () => {
    const { status, stdout } = await shell.run('eim', 'list-profiles', '--eim', control);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^done; signed by the eUICC and verified/);
    expect(stdout).toMatch(new RegExp(`^${BETA}  enabled +operational +Beta Cellular`, 'm'));
  });

  it('gives every operation of issue and specification a command', async () => {
    expect((await order('rat')).value.results).toEqual([{ op: 'getRAT', ok: true, rules: [] }]);
    const fallback = ['set-fallback', '--iccid', '89000102000000000032'];
    const single = [
      fallback,
      ['unset-fallback'],
      ['default-dp', '--address', 'smdp.example.com'],
      ['immediate-enable', '--address', 'smdp.example.com'],
      ['immediate-enable', '--off'],
      ['delete', '--iccid', '89000102000000000032'],
    ];
    for (const args of single) expect(await order(...args)).toMatchObject({ status: 0, value: { ok: true } });
    const data = await order('data', '--tags', 'defaultSmdpAddress,BF20', '--inject');
    expect(data).toMatchObject({
      status: 0,
      value: { outcome: 'data', data: { defaultSmdpAddress: 'smdp.example.com', euiccInfo1: {} } },
    });
    const update = await order('update-eim', '--configuration', control);
    expect(update.value).toMatchObject({ outcome: 'verified' });
    const list = await order('list-eim');
    expect(list.value).toMatchObject({ results: [{ eims: [{ eimId: 'eim.example.com' }] }] });
  });

  it('ends with 2 when the eUICC says no', async () => {
    const { status, value } = await order('disable', '--iccid', ALPHA);
    expect(status).toBe(2);
    expect(value.results).toEqual([{ op: 'disable', ok: false, code: 2, name: 'profileNotInEnabledState' }]);
    const gone = await order('delete-eim', '--eim-id', 'nobody.example');
    expect(gone).toMatchObject({ status: 2, value: { results: [{ name: 'eimNotFound' }] } });
  });

  it('ends with 3 when nothing comes in time', async () => {
    const other = EID.replace(/5$/, '6');
    const args = ['list-profiles', '--eim', control, '--eid', other, '--new-device', '--timeout', '0.1'];
    const { status, value } = await shell.json('eim', ...args);
    expect([status, value]).toEqual([3, { eid: other, outcome: 'timeout', ok: false, sent: false }]);
  });

  it('adds a second eIM that has its own topics', async () => {
    const second = shell.start(
      ...['eim', 'serve', '--eim-id', 'second.example.com', '--broker', broker],
      ...['--control-port', '0', '--topics', 'esipa-2'],
    );
    const { controlUrl } = await second.line((line) => line.event === 'eim-serving');
    const added = await order('add-eim', '--configuration', String(controlUrl));
    expect(added).toMatchObject({ status: 0, value: { results: [{ op: 'addEim', associationToken: 2 }] } });
    await device.stop();
    device = shell.start(
      ...['device', '--broker', broker, ...fast, '--topics', 'second.example.com=esipa-2'],
    );
    const list = await shell.json(
      ...['eim', 'list-eim', '--eim', String(controlUrl), '--eid', EID, '--new-device'],
    );
    expect(list.value).toMatchObject({
      ok: true,
      results: [{ eims: [{ eimId: 'eim.example.com' }, { eimId: 'second.example.com' }] }],
    });
    expect(await second.stop()).toBe(0);
  });

  it('goes on after eIM, broker and device were stopped', async () => {
    const before = (await shell.json('eim', 'devices', '--eim', control)).value.devices as Line[];
    const { counterValue } = before.find(({ eid }) => eid === EID)!;
    expect([await device.stop('SIGTERM'), await serve.stop('SIGTERM')]).toEqual([0, 0]);
    const closed = device.lines.filter(({ function: name }) => name === 'MANAGE CHANNEL close');
    expect(closed.at(-1)).toMatchObject({ sw: '9000' });
    await startServe(...['--broker-port', new URL(broker).port, '--control-port', new URL(control).port]);
    device = shell.start('device', '--broker', broker, ...fast);
    // The embedded broker has forgotten its sessions: a push finds nobody before the device is back.
    await device.line(idle);
    const { status, value } = await order('enable', '--iccid', ALPHA, '--inject');
    expect(status).toBe(0);
    expect(value).toMatchObject({ ok: true, counterValue: Number(counterValue) + 1 });
    expect(existsSync(join(shell.dir, '.xs-ipa', 'card.cbor'))).toBe(true);
  });

  it('with --once a device ends when all is done', async () => {
    await device.stop();
    const { status, stderr } = await shell.run('device', '--broker', broker, ...fast, '--once', '-q');
    expect([status, stderr]).toEqual([0, '']);
  });
});
