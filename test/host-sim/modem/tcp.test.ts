import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { RealClock } from '../../../host-sim/clock.js';
import { listenTcp, Network, SimulatedModem } from '../../../host-sim/modem/index.js';
import { FakeCard, seeded } from './fakes.js';

class Client {
  text = '';
  readonly socket: Socket;
  #wake = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    // A refused client may find its own words unread: that is part of being refused.
    this.socket.on('error', () => {});
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
      this.#wake();
    });
  }

  /** Sends a line and waits for a text to come back. */
  async ask(line: string, until: RegExp): Promise<string> {
    this.text = '';
    this.socket.write(line);
    await this.until(until);
    return this.text;
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async leave(): Promise<void> {
    this.socket.end();
    await once(this.socket, 'close');
  }
}

it('serves one TE at a time, refuses a second one, and remembers when one comes back', async () => {
  const modem = new SimulatedModem({
    card: new FakeCard(),
    clock: new RealClock(1000),
    random: seeded(),
    network: new Network(),
  });
  const server = await listenTcp(modem, { host: '127.0.0.1', port: 0 });
  try {
    const first = new Client(server.port);
    expect(await first.ask('ATI\r\n', /OK\r\n/)).toContain('ATI\r\r\nxs-ipa\r\n');
    const second = new Client(server.port);
    await once(second.socket, 'close');
    expect(second.text).toBe("\r\nBUSY: the modem's serial port is in use; close the other end first\r\n");
    expect(await first.ask('ATE0\r', /OK\r\n/)).toContain('ATE0\r\r\nOK\r\n');
    await first.leave();
    // The modem's end learns of the leave in a turn of its own; until then it may still say that it is busy.
    let third = new Client(server.port);
    while ((await third.ask('AT\r', /OK\r\n|BUSY/)).includes('BUSY')) third = new Client(server.port);
    expect(third.text).toContain('\r\nOK\r\n');
    expect(third.text).not.toContain('AT\r');
    await third.leave();
  } finally {
    await server.close();
    modem.powerOff();
  }
});

it('holds a client back that floods the line, and loses nothing of it', async () => {
  const modem = new SimulatedModem({
    card: new FakeCard(),
    clock: new RealClock(2000),
    random: seeded(),
    network: new Network(),
  });
  const server = await listenTcp(modem, { host: '127.0.0.1', port: 0 });
  try {
    const client = new Client(server.port);
    client.socket.write(Buffer.alloc(200_000, 0x20));
    await client.ask('\r', /\r/);
    expect(await client.ask('AT\r', /OK\r\n/)).toContain('OK');
    expect(modem.uartBytes.up).toBe(200_004);
    client.socket.destroy();
  } finally {
    await server.close();
    modem.powerOff();
  }
});

it('a port that is taken is an error', async () => {
  const modem = new SimulatedModem({
    card: new FakeCard(),
    clock: new RealClock(1000),
    random: seeded(),
    network: new Network(),
  });
  const server = await listenTcp(modem, { host: '127.0.0.1', port: 0 });
  await expect(listenTcp(modem, { host: '127.0.0.1', port: server.port })).rejects.toThrow(/EADDRINUSE/);
  await server.close();
  modem.powerOff();
});
