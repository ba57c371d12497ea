import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Line, type Running, Shell } from './run.js';

const ALPHA = '89000101000000000018';
const BETA = '89099970000000000025';
const ICCID = '8900000000000000052';

interface Profile {
  iccid: string;
  enabled: boolean;
  nickname: string;
}

describe('card: what an LPA does', () => {
  const shell = new Shell();
  /** Behind a modem at first, later without one on what that has left in its folder. */
  let where: string[];
  let simulated: Running;
  let control: string;
  let servers: string[];
  let serve: Running;

  beforeAll(async () => {
    await shell.run('pki', 'make', '--out', 'pki');
    serve = shell.start('smdp', 'serve', '--pki', 'pki', '--port', '0', '--control-port', '0');
    simulated = shell.start(
      ...['modem', '--pki', 'pki', '--card', 'consumer', '--baud', '0', '--listen', 'tcp://127.0.0.1:0'],
    );
    const [smdp, listening] = await Promise.all([
      serve.line(({ event }) => event === 'smdp-serving'),
      simulated.line(({ event }) => event === 'modem-listening'),
    ]);
    where = ['--modem', String(listening.url)];
    control = String(smdp.controlUrl);
    servers = ['smdp.example.com', 'smdp.alpha.example', 'smdp.beta.example'].flatMap((name) => [
      '--smdp',
      `${name}=${String(smdp.url)}`,
    ]);
  });
  afterAll(() => shell.close());

  const card = (...args: string[]) => shell.json('card', ...args, ...where, '--pki', 'pki', ...servers);
  const profiles = async () => (await card('list')).value.profiles as Profile[];
  const order = async (...options: string[]) =>
    String(
      (await shell.json('smdp', 'order', '--smdp', control, '--iccid', ICCID, ...options)).value
        .activationCode,
    );
  const state = async () =>
    ((await shell.json('smdp', 'orders', '--smdp', control)).value.orders as Line[]).at(-1);

  it('downloads a profile with a confirmation code, and tells the SM-DP+', async () => {
    const code = await order('--confirmation-code', '1234', '--profile-size', '5000');
    expect(await card('add', code)).toMatchObject({ status: 1, value: { code: 'usage' } });
    const { status, value } = await card('add', code, '--confirmation-code', '1234');
    expect([status, value]).toMatchObject([0, { iccid: ICCID, notifications: { kept: [] } }]);
    expect((value.notifications as { sent: number[] }).sent).toHaveLength(1);
    expect(await state()).toMatchObject({ state: 'installed' });
    expect(await profiles()).toMatchObject([{ iccid: ALPHA, enabled: true }, {}, {}, { iccid: ICCID }]);
  }, 60_000);

  it('does the same without the modem', async () => {
    expect(await simulated.stop()).toBe(0);
    where = ['--card', 'consumer'];
    expect((await profiles()).at(-1)).toMatchObject({ iccid: ICCID, enabled: false });
  }, 60_000);

  it('enables it, names it, and disables it', async () => {
    expect(await card('enable', ICCID, '--no-notify')).toMatchObject({
      status: 0,
      value: { iccid: ICCID, state: 'enabled' },
    });
    expect(await card('nickname', ICCID, 'Zähler 7')).toMatchObject({ status: 0 });
    expect((await profiles()).at(-1)).toEqual(
      expect.objectContaining({ iccid: ICCID, enabled: true, nickname: 'Zähler 7' }),
    );
    expect(await card('delete', ICCID)).toMatchObject({ status: 1, value: { code: 'refusedByEuicc' } });
    expect(await card('disable', ICCID, '--no-notify')).toMatchObject({ status: 0 });
    expect((await profiles()).filter(({ enabled }) => enabled)).toEqual([]);
  }, 60_000);

  it('deletes it, and brings or removes notifications', async () => {
    expect(await card('delete', ICCID, '--no-notify')).toMatchObject({ status: 0 });
    const pending = (await card('notifications')).value.notifications as {
      seqNumber: number;
      event: string;
    }[];
    expect(pending.map(({ event }) => event)).toEqual(['disable', 'enable', 'disable', 'delete']);
    const [first, ...rest] = pending.map(({ seqNumber }) => seqNumber);
    expect(await card('notifications', 'remove', String(first))).toMatchObject({ status: 0 });
    expect((await card('notifications', 'send', String(rest[0]))).value).toMatchObject({ sent: [rest[0]] });
    expect(await card('notifications', 'send')).toMatchObject({
      status: 0,
      value: { sent: rest.slice(1), kept: [] },
    });
    expect((await card('notifications', 'list')).value).toEqual({ notifications: [] });
    const { notifications } = (await state()) as unknown as { notifications: { event: string }[] };
    expect(notifications.map(({ event }) => event)).toEqual([
      'notificationInstall',
      'notificationEnable',
      'notificationDisable',
      'notificationDelete',
    ]);
  }, 60_000);

  it('works on the virtual eUICC of a folder, and keeps what it did', async () => {
    const own = ['--state', 'own', '--card', 'consumer'];
    const { status, stdout } = await shell.run('card', 'enable', BETA, '--no-notify', ...own);
    expect([status, stdout]).toEqual([
      0,
      `${BETA} is enabled\nthe notifications stay on the eUICC: \`npx xs-ipa card notifications send\` sends them\n`,
    ]);
    const { value } = await shell.json('card', 'list', ...own);
    expect((value.profiles as Profile[]).find(({ enabled }) => enabled)?.iccid).toBe(BETA);
    expect(readFileSync(join(shell.dir, 'own', 'card.cbor')).length).toBeGreaterThan(0);
    // A server that is not there does not make the change fail.
    const again = await shell.json('card', 'disable', BETA, ...own);
    expect(again).toMatchObject({ status: 0, value: { state: 'disabled' } });
    expect((again.value.notifications as { kept: unknown[] }).kept.length).toBeGreaterThan(0);
    const send = await shell.json('card', 'notifications', 'send', ...own);
    expect(send.status).toBe(2);
  }, 60_000);

  it.each([
    ['iot', ['enable', BETA], 'noEs10c', /its eIM does that/],
    ['m2m', ['list'], 'notIotEuicc', /SGP\.02/],
    ['none', ['list'], 'noEuicc', /no eUICC/],
    ['consumer', ['add', '2$x$y'], 'badActivationCode', /format 2/],
    ['consumer', ['enable', '12'], 'usage', /18 to 20/],
    ['consumer', ['notifications', 'remove', 'x'], 'usage', /sequence number/],
    ['consumer', ['list', '--baud', '9600'], 'usage', /--baud belongs to --modem/],
    ['consumer', ['add', '1$a.example$x', '--smdp', 'a.example=nowhere'], 'usage', /NAME=https/],
  ] as const)(
    'on a card of kind %s says what is wrong with %j',
    async (kind, args, code, why) => {
      const { status, value } = await shell.json('card', ...args, '--state', 'mistakes', '--card', kind);
      expect([status, value.code]).toEqual([1, code]);
      expect(value.message).toMatch(why);
    },
    30_000,
  );
});
