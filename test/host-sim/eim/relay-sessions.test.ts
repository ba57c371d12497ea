import { describe, expect, it } from 'vitest';
import { type RelaySession, RelaySessions } from '../../../host-sim/eim/relay-sessions.js';
import type { Task } from '../../../host-sim/eim/state.js';

const session = (eid: string, task = {} as Task): RelaySession => ({
  eid,
  task,
  address: 'smdp.example.com',
  known: { transactionId: new Uint8Array(1) } as RelaySession['known'],
  isSmds: false,
});
const id = (value: number) => Uint8Array.of(value);

describe('the sessions of a relay', () => {
  it('are found by their transaction, by the device that began them alone', () => {
    const sessions = new RelaySessions();
    const one = session('1');
    sessions.begin(id(1), one);
    expect(sessions.find(id(1))).toBe(one);
    expect(sessions.find(id(1), '1')).toBe(one);
    expect(sessions.find(id(1), '2')).toBeUndefined();
  });

  it('are one for a task', () => {
    const sessions = new RelaySessions();
    const { task } = session('1');
    sessions.begin(id(1), session('1', task));
    sessions.begin(id(2), session('1', task));
    expect(sessions.find(id(1))).toBeUndefined();
    expect(sessions.find(id(2))?.task).toBe(task);
  });

  it('are so many at most, and the oldest is forgotten', () => {
    const sessions = new RelaySessions(3);
    for (let at = 0; at < 5; at++) sessions.begin(id(at), session(`${at}`));
    expect([0, 1, 2, 3, 4].map((at) => sessions.find(id(at))?.eid)).toEqual([
      undefined,
      undefined,
      '2',
      '3',
      '4',
    ]);
  });
});
