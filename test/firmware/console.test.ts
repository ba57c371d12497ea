import { describe, expect, it } from 'vitest';
import { CARD_HELP } from '../../firmware/card-commands.js';
import { SettingsConsole } from '../../firmware/console.js';
import { Provisioning, SETTINGS } from '../../firmware/provisioning.js';
import type { SerialOptions, SerialPort } from '../../hal/contracts/index.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';

/** A terminal with a FIFO of `room` bytes. */
function setUp(room = 4_096) {
  let options: SerialOptions | undefined;
  let incoming = Buffer.alloc(0);
  let shown = '';
  let free = 0;
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
      if (buffer.length > free) throw new Error('output full');
      free -= buffer.length;
      shown += Buffer.from(buffer).toString('latin1');
    }
    close(): void {}
  }
  const calls: string[] = [];
  const provisioning = new Provisioning(new MemoryKeyValue(), { host: 'built.example', password: 'secret' });
  new SettingsConsole({
    serial: { io: Terminal },
    provisioning,
    onPoll: () => calls.push('poll'),
    onRestart: () => calls.push('restart'),
  });
  const drain = () => {
    for (let before = -1; before !== shown.length; ) {
      before = shown.length;
      free = room;
      options?.onWritable?.(room);
    }
  };
  drain();
  return {
    provisioning,
    calls,
    type(text: string): string[] {
      shown = '';
      incoming = Buffer.concat([incoming, Buffer.from(text, 'latin1')]);
      options?.onReadable?.(incoming.length);
      drain();
      return shown.split('\r\n').slice(0, -1);
    },
  };
}

describe('SettingsConsole', () => {
  it('shows, sets and unsets', () => {
    const { type, provisioning } = setUp();
    expect(type('show host\r')).toEqual(['host = built.example']);
    expect(type('set host broker.example\r\n')).toEqual(['host = broker.example *']);
    expect(provisioning.text('host')).toBe('broker.example');
    expect(type('set ssid a network\n')).toEqual(['ssid = a network *']);
    expect(type('unset host\r')).toEqual(['host = built.example']);
    const all = type('show\r');
    expect(all.length).toBe(SETTINGS.length);
    expect(all.join('\n')).not.toContain('secret');
  });

  it('takes characters as they come, corrected too', () => {
    const { type } = setUp(5);
    for (const character of 'shwx') expect(type(character)).toEqual([]);
    expect(type('\b\x7fow host\r')).toEqual(['host = built.example']);
  });

  it('says what was wrong and goes on', () => {
    const { type, provisioning } = setUp();
    expect(type('set port many\r')).toEqual(['error: port is a whole number']);
    expect(type('set nothing 1\r')).toEqual(['error: no setting is called "nothing"']);
    expect(type(`set host ${'x'.repeat(2_000)}\r`)).toEqual(['error: a line has at most 1200 characters']);
    expect(provisioning.text('host')).toBe('built.example');
    expect(type('help\r').length).toBe(SETTINGS.length + 1 + CARD_HELP.length);
    expect(type('\x00\xff\x1b\r\n\r\n')).toEqual([]);
  });

  it('hands commands on', () => {
    const { type, calls } = setUp();
    expect(type('poll\rrestart\r')).toEqual([]);
    expect(calls).toEqual(['poll', 'restart']);
  });
});
