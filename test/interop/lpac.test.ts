import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Program, xsIpa } from '../program.js';
import { tool } from '../tools.js';

// lpac, an LPA in C, against our SM-DP+ and our virtual eUICC behind our simulated modem. Built with its drivers "at" and
// "curl"; XS_IPA_LPAC names the program where it is not on the PATH.

const lpac = process.env.XS_IPA_LPAC ?? tool('lpac');
const socat = tool('socat');
const missing = [lpac === undefined && 'lpac (XS_IPA_LPAC=path)', socat === undefined && 'socat'].filter(
  Boolean,
);
const iccid = '8900000000000000052';

interface Payload {
  code: number;
  message: string;
  data: unknown;
}

describe.skipIf(missing.length > 0)(
  missing.length > 0 ? `lpac [skipped: ${missing.join(', ')} not found]` : 'lpac',
  () => {
    let folder: string;
    let address: string;
    let control: string;
    const programs: Program[] = [];
    const start = async (program: Program, ready: RegExp): Promise<string> => {
      programs.push(program);
      return program.line(ready);
    };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'xs-ipa-lpac-'));
      await xsIpa('pki', 'make', '--out', join(folder, 'pki')).ended();
      const serving = xsIpa(
        'smdp',
        'serve',
        '--state',
        folder,
        '--port',
        '0',
        '--control-port',
        '0',
        '--json',
      );
      const told = JSON.parse(await start(serving, /smdp-serving/)) as { url: string; controlUrl: string };
      address = new URL(told.url).host;
      control = told.controlUrl;
      const modem = xsIpa('modem', '--state', folder, '--listen', 'tcp://127.0.0.1:0', '--baud', '0');
      const [port] = /tcp:127\.0\.0\.1:\d+/.exec(await start(modem, /as a tty/))!;
      const tty = join(folder, 'tty');
      programs.push(new Program(socat!, [`pty,raw,echo=0,link=${tty}`, port]));
      await modem.line(/simOn/);
      for (let i = 0; i < 100 && !existsSync(tty); i++) await new Promise((next) => setTimeout(next, 20));
    }, 30_000);
    afterAll(async () => {
      for (const program of programs.reverse()) await program.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const run = (...parameters: string[]): Promise<Payload> =>
      new Promise((resolve, reject) => {
        const env = {
          ...process.env,
          LPAC_APDU: 'at',
          LPAC_HTTP: 'curl',
          LPAC_APDU_AT_DEVICE: join(folder, 'tty'),
        };
        execFile(lpac!, parameters, { env }, (_error, stdout) => {
          const line = stdout.split('\n').find((one) => one.includes('"type":"lpa"'));
          if (line) resolve((JSON.parse(line) as { payload: Payload }).payload);
          else reject(new Error(stdout));
        });
      });
    const order = async (...options: string[]) => {
      const made = xsIpa('smdp', 'order', '--smdp', control, '--json', ...options);
      expect(await made.ended(), made.lines.join()).toBe(0);
    };
    const state = async (): Promise<{ state: string; outcome?: string; notifications: unknown[] }> => {
      const asked = xsIpa('smdp', 'orders', '--smdp', control, '--json');
      await asked.ended();
      return JSON.parse(asked.lines[0]).orders.at(-1);
    };
    const ok = { code: 0, message: 'success' };
    const profile = async () =>
      ((await run('profile', 'list')).data as { iccid: string; profileState: string }[]).find(
        (one) => one.iccid === iccid,
      );

    it('downloads a profile, enables, disables and deletes it, and handles its notifications', async () => {
      await order(
        '--iccid',
        iccid,
        '--matching-id',
        'LPAC-1',
        '--profile-size',
        '12000',
        '--notify',
        address,
      );
      expect(await run('profile', 'download', '-s', address, '-m', 'LPAC-1')).toMatchObject(ok);
      expect(await profile()).toMatchObject({ profileState: 'disabled' });
      expect((await state()).state).toBe('downloaded');
      expect(await run('profile', 'enable', iccid)).toMatchObject(ok);
      expect(await profile()).toMatchObject({ profileState: 'enabled' });
      expect(await run('profile', 'disable', iccid)).toMatchObject(ok);
      expect(await run('profile', 'delete', iccid)).toMatchObject(ok);
      expect(await profile()).toBeUndefined();
      // The profiles of the factory have notifications, too, for servers that are not there.
      const pending = async () =>
        (
          (await run('notification', 'list')).data as { seqNumber: number; notificationAddress: string }[]
        ).filter(({ notificationAddress }) => notificationAddress === address);
      for (const { seqNumber } of await pending())
        expect(await run('notification', 'process', '-r', String(seqNumber))).toMatchObject(ok);
      expect(await pending()).toEqual([]);
      const { notifications, state: end } = await state();
      expect(end).toBe('installed');
      const events = ['Install', 'Enable', 'Disable', 'Delete'].map((name) => `notification${name}`);
      expect(notifications).toEqual(
        expect.arrayContaining(events.map((event) => expect.objectContaining({ event, verified: true }))),
      );
    }, 60_000);

    it('is told what is wrong', async () => {
      const failed = await run('profile', 'download', '-s', address, '-m', 'NONE');
      expect(failed).toMatchObject({ code: -1, message: 'es9p_authenticate_client' });
      expect(JSON.stringify(failed.data)).toContain('NONE');
      await order('--iccid', iccid, '--matching-id', 'LPAC-2', '--confirmation-code', '1234');
      // A download that lpac gives up on is cancelled at the SM-DP+.
      expect((await run('profile', 'download', '-s', address, '-m', 'LPAC-2')).code).toBe(-1);
      expect(await state()).toMatchObject({ state: 'error', outcome: expect.stringContaining('cancelled') });
      expect(await xsIpa('smdp', 'release', 'LPAC-2', '--smdp', control).ended()).toBe(0);
      expect(await run('profile', 'download', '-s', address, '-m', 'LPAC-2', '-c', '4321')).toMatchObject({
        code: -1,
        message: 'es9p_get_bound_profile_package',
      });
    }, 60_000);
  },
);
