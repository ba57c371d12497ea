import { describe, expect, it } from 'vitest';
import { Provisioning, SETTINGS } from '../../firmware/provisioning.js';
import { MemoryKeyValue } from '../../hal/node/storage.js';

describe('Provisioning', () => {
  it('takes what was stored, else the manifest, else its own', () => {
    const storage = new MemoryKeyValue();
    const settings = new Provisioning(storage, { host: 'built.example', port: 8883, tls: true });
    expect([settings.text('host'), settings.number('port'), settings.flag('tls')]).toEqual([
      'built.example',
      8883,
      true,
    ]);
    expect(settings.number('baud')).toBe(115_200);
    settings.set('host', 'stored.example');
    expect(new Provisioning(storage, { host: 'built.example' }).text('host')).toBe('stored.example');
    settings.unset('host');
    expect(settings.text('host')).toBe('built.example');
  });

  it('keeps an empty value that was stored on purpose', () => {
    const settings = new Provisioning(new MemoryKeyValue(), { user: 'somebody' });
    settings.set('user', '');
    expect(settings.optional('user')).toBeUndefined();
  });

  it('checks what is set', () => {
    const settings = new Provisioning(new MemoryKeyValue());
    expect(() => settings.set('port', 'many')).toThrow('port is a whole number');
    expect(() => settings.set('port', '')).toThrow('whole number');
    expect(() => settings.set('tls', 'yes')).toThrow('tls is 0 or 1');
    expect(() => settings.set('eim', '30F')).toThrow('hexadecimal');
    expect(() => settings.set('eim', '30 0')).toThrow('hexadecimal');
    expect(() => settings.set('nonsense', '1')).toThrow('no setting is called "nonsense"');
    expect(() => settings.text('nonsense')).toThrow('no setting');
    settings.set('eim', '3000fF');
    expect(settings.bytes('eim')).toEqual(Uint8Array.of(0x30, 0x00, 0xff));
    settings.set('eim', '');
    expect(settings.bytes('eim')).toBeUndefined();
  });

  it('checks what the manifest says before it is used', () => {
    const settings = new Provisioning(new MemoryKeyValue(), { port: 'x', eim: 'zz' });
    expect(() => settings.number('port')).toThrow('port must be a whole number');
    expect(() => settings.bytes('eim')).toThrow('hexadecimal');
  });

  it('shows no secrets', () => {
    const settings = new Provisioning(new MemoryKeyValue(), { wifiKey: 'hidden' });
    expect(settings.describe('wifiKey')).toBe('wifiKey = (set)');
    settings.set('password', 'hidden too');
    expect(settings.describe('password')).toBe('password = (set) *');
    settings.set('password', '');
    expect(settings.describe('password')).toBe('password =  *');
  });

  it('has names that fit into the storage of an ESP32', () => {
    const storage = new MemoryKeyValue();
    const settings = new Provisioning(storage);
    for (const { name, fallback } of SETTINGS) {
      settings.set(name, fallback);
      expect(settings.text(name)).toBe(fallback);
    }
    expect(new Set(SETTINGS.map(({ name }) => name)).size).toBe(SETTINGS.length);
  });
});
