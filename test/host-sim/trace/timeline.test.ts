import { describe, expect, it } from 'vitest';
import type { TraceEvent } from '../../../host-sim/events.js';
import { Timeline } from '../../../host-sim/trace/index.js';

const head = { at: 1500, who: 'ipa' };
const apdu = (command: number[], response: number[] = []): TraceEvent => ({
  ...head,
  event: 'apdu',
  command: Uint8Array.from(command),
  response: Uint8Array.from(response),
  sw: 0x9000,
});
const registration = (stat: number): TraceEvent => ({
  ...head,
  event: 'modem',
  notice: 'registration',
  detail: stat,
});
const rejected: TraceEvent = {
  ...head,
  who: 'eim',
  event: 'eim',
  what: 'rejected',
  eid: '',
  detail: { why: 'x'.repeat(100) },
};

describe('the timeline', () => {
  it('leaves texts as they are', () => {
    const detail = { why: 'https://[::1]:8443 said "no"', numbers: [1, 2] };
    const [line] = new Timeline({ detail: 2, color: false }).lines({ ...rejected, detail });
    expect(line).toMatch(/\{why: https:\/\/\[::1\]:8443 said .*no.*, numbers: \[1, 2\]\}$/);
  });

  it('says registration in words', () => {
    const timeline = new Timeline({ detail: 1, color: false });
    const words = [0, 1, 2, 3, 4, 5, 9].map((stat) => timeline.lines(registration(stat))[0].slice(20));
    expect(words).toEqual([
      'registration: not registered',
      'registration: registered, home',
      'registration: searching',
      'registration: denied',
      'registration: unknown',
      'registration: registered, roaming',
      'registration: 9',
    ]);
  });

  it('has no blanks at the end of a line', () => {
    const timeline = new Timeline({ detail: 2, color: false });
    const [line] = timeline.lines({ ...head, event: 'modem', notice: 'simLost' });
    expect(line).toMatch(/simLost$/);
  });

  it('tells a channel that was left open from one that was opened', () => {
    const timeline = new Timeline({ detail: 1, color: false });
    const close = [0, 0x70, 0x80, 2];
    const shown = [close, [0, 0x70, 0, 0, 1], close, close].map(
      (command) => timeline.lines(apdu(command, command[2] === 0 ? [2] : []))[0],
    );
    expect(shown.map((line) => line.includes('close (stale)'))).toEqual([true, false, false, true]);
  });

  it('cuts lines at the width of a terminal, colours not counted, unless all bytes are wanted', () => {
    const columns = () => 40;
    const [plain] = new Timeline({ detail: 1, color: false, columns }).lines(rejected);
    expect(plain).toHaveLength(40);
    expect(plain).toMatch(/x…$/);
    const [painted] = new Timeline({ detail: 1, color: true, columns }).lines(rejected);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    expect(painted.replaceAll(/\x1b\[\d+m/g, '')).toBe(plain);
    const [whole] = new Timeline({ detail: 2, color: false, columns }).lines(rejected);
    expect(whole.length).toBeGreaterThan(100);
    const [short] = new Timeline({ detail: 1, color: false, columns }).lines(registration(3));
    expect(short).toMatch(/denied$/);
    const detail = 'It is said in full, however long it may be.';
    const step = { ...head, event: 'step' as const, title: 'A step', detail };
    expect(new Timeline({ detail: 1, color: false, columns }).lines(step)[2]).toBe(`  ${detail}`);
  });
});
