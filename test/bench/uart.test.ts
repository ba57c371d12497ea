import { describe, expect, it } from 'vitest';
import { cardTraffic, leastCharacters } from './uart.js';

describe('least characters', () => {
  it('counts line ends, lengths and quotes', () => {
    // AT+CSIM=16,"80E29100035C015A"\r and \r\n+CSIM: 4,"6112"\r\n\r\nOK\r\n;
    // AT+CSIM=10,"00C0000012"\r and \r\n+CSIM: 40,"…18 bytes… 9000"\r\n\r\nOK\r\n
    const sent = 'AT+CSIM=16,"80E29100035C015A"\r'.length + '\r\n+CSIM: 4,"6112"\r\n\r\nOK\r\n'.length;
    const received =
      'AT+CSIM=10,"00C0000012"\r'.length + `\r\n+CSIM: 40,"${'00'.repeat(18)}9000"\r\n\r\nOK\r\n`.length;
    expect(leastCharacters({ sent: 3, received: 18 }, 255, 256)).toBe(sent + received);
  });
});

describe('load of a Bound Profile Package', () => {
  it('begins with BF36 and ends with the first answer', () => {
    const ok = '\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n';
    const line = (apdu: string, answer = ok) => ({ command: `AT+CSIM=${apdu.length},"${apdu}"`, answer });
    const before = [line('80E29100035C015A')];
    const load = [
      line('80E2910004BF360100'),
      line('80E2110002AABB'),
      line('80E2910101CC', '\r\n+CSIM: 4,"6103"\r\n\r\nOK\r\n'),
      line('00C0000002', '\r\n+CSIM: 8,"11226101"\r\n\r\nOK\r\n'),
      line('00C0000001', '\r\n+CSIM: 6,"339000"\r\n\r\nOK\r\n'),
    ];
    const taken = load.reduce((sum, { command, answer }) => sum + command.length + 1 + answer.length, 0);
    const traffic = cardTraffic([...before, ...load, ...before], 2, 2);
    const package_ = leastCharacters({ sent: 4, received: 0 }, 2, 2);
    expect(traffic.load.least).toBe(package_ + leastCharacters({ sent: 3, received: 3 }, 2, 2));
    expect(traffic.load.leastUncapped).toBe(package_ + leastCharacters({ sent: 3, received: 3 }, 2, 256));
    expect(traffic.load.taken).toBe(taken);
  });
});

describe('traffic with the card', () => {
  it('is put together from the commands, whichever way they take', () => {
    const traffic = cardTraffic(
      [
        { command: 'AT+CEREG?', answer: '' },
        { command: 'AT+CCHO="A0"', answer: '' },
        { command: 'AT+CGLA=1,14,"80E2110002AABB"', answer: '\r\n+CGLA: 4,"9000"\r\n\r\nOK\r\n' },
        { command: 'AT+CGLA=1,12,"80E2910101CC"', answer: '\r\n+CGLA: 4,"6103"\r\n\r\nOK\r\n' },
        { command: 'AT+CGLA=1,10,"00C0000002"', answer: '\r\n+CGLA: 8,"11226101"\r\n\r\nOK\r\n' },
        { command: 'AT+CGLA=1,10,"00C0000001"', answer: '\r\n+CGLA: 6,"339000"\r\n\r\nOK\r\n' },
        { command: 'AT+CSIM=16,"80E29100035C015A"', answer: '\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n' },
      ],
      2,
      2,
    );
    expect(traffic).toMatchObject({ apdus: 5, exchanges: 7, exchangesUncapped: 6 });
    expect(traffic.load).toEqual({ least: 0, leastUncapped: 0, taken: 0 });
    expect(traffic.calls).toEqual([
      { sent: 3, received: 3 },
      { sent: 3, received: 0 },
    ]);
    const name = '+CGLA=1,';
    expect(traffic.least).toBe(
      leastCharacters({ sent: 3, received: 3 }, 2, 2, name) + leastCharacters({ sent: 3, received: 0 }, 2, 2),
    );
  });
});
