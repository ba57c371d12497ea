import { afterAll, describe, expect, it } from 'vitest';
import { type Line, Shell } from './run.js';

const EID = '89049032123451234512345678901235';
const ALPHA = '89000101000000000018';
const BETA = '89099970000000000025';
const fast = ['--speed', '10', '--baud', '0', '--poll-interval', '1'];

describe('eIM and device over HTTPS', () => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it.each([
    ['https', BETA],
    ['https-json', ALPHA],
  ])('as commands: %s', async (transport, iccid) => {
    const serve = shell.start('eim', 'serve', '--broker-port', '0', '--control-port', '0', '--https', '0');
    const serving = await serve.line((line) => line.event === 'eim-serving');
    const control = String(serving.controlUrl);
    const route = `eim.example.com=${serving.httpsUrl}`;
    const links = ['--transport', transport, '--route', route];
    const device = shell.start('device', ...links, '--eim-configuration', control, ...fast);
    await device.line((line: Line) => line.event === 'state' && line.state === 'idle');
    const operands = ['--iccid', iccid, '--eim', control, '--eid', EID];
    expect(await shell.json('eim', 'enable', ...operands)).toMatchObject({ status: 0, value: { ok: true } });
    expect(await device.stop()).toBe(0);
    expect(await serve.stop()).toBe(0);
  });
});
