import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { factoryProfiles, operators, simulateModem } from '../../host-sim/cli/world.js';
import { RealClock } from '../../host-sim/clock.js';
import { Broker, Eim, MqttEim } from '../../host-sim/eim/index.js';
import { listenTcp } from '../../host-sim/modem/index.js';
import { makePki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { MemoryStore } from '../../host-sim/store.js';
import { Trace } from '../../host-sim/trace/index.js';
import { describeWith } from '../tools.js';

// The firmware as a program for Linux: the real engine on the SDK's own serial, TCP and timer modules. Somebody who has the
// SDK builds it (docs/firmware.md) and names it here.
const program = process.env.XS_IPA_CLI;

const eid = '89049032123451234512345678901235';
const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;

const clean: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of clean.splice(0).reverse()) await undo();
});

describeWith(['socat'], 'the firmware on Linux', ({ socat }) => {
  it('enables a profile and reports it', async () => {
    const clock = new RealClock();
    const random = seeded(1);
    const trace = new Trace(clock);
    const pki = await makePki({ eid, eims, now: clock.now, random });
    const broker = await new Broker({ observe: trace.observer('broker') }).listen();
    clean.push(() => broker.close());
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock,
      random,
    });
    clean.push(() => eim.close());
    const link = new MqttEim({ eim, url: broker.url });
    await link.open();
    clean.push(() => link.close());
    const network = operators();
    const { modem } = simulateModem({ pki, store: new MemoryStore(), clock, random, trace, network });
    clean.push(() => modem.powerOff());
    const line = await listenTcp(modem, { host: '127.0.0.1', port: 0 });
    clean.push(() => line.close());

    const directory = mkdtempSync(join(tmpdir(), 'xs-ipa-cli-'));
    clean.push(() => rmSync(directory, { recursive: true, force: true }));
    const tty = join(directory, 'tty');
    start(socat, [`PTY,link=${tty},raw,echo=0`, `TCP:127.0.0.1:${line.port},nodelay`], directory);
    while (!existsSync(tty)) await new Promise((resolve) => setTimeout(resolve, 10));

    const configuration = eim.eimConfiguration({ eid, token: true, euiccCiPKId: pki.euicc.ciKeyId });
    const settings = {
      host: '127.0.0.1',
      port: broker.port,
      device: tty,
      poll: 2,
      eim: Buffer.from(configuration).toString('hex'),
    };
    start(program as string, [], directory, { XS_IPA_CONFIG: JSON.stringify(settings) });

    const [, beta] = factoryProfiles();
    const options = { timeoutMilliseconds: 12_000 };
    expect(await eim.queue(eid, { psmo: [{ op: 'listProfileInfo' }] }, options)).toMatchObject({
      ok: true,
    });
    expect(await eim.queue(eid, { psmo: [{ op: 'enable', iccid: beta.iccid }] }, options)).toMatchObject({
      ok: true,
    });
  });
});

function start(file: string, args: string[], cwd: string, env: Record<string, string> = {}): void {
  const output = process.env.XS_IPA_CLI_OUTPUT ? 'inherit' : 'ignore';
  const child = spawn(file, args, {
    cwd,
    stdio: ['ignore', output, output],
    env: { ...process.env, ...env },
  });
  clean.push(() => stop(child));
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill();
  });
}
