/** What an unsolicited line or an answer to AT+CPIN? says about the card. */
export type SimReport =
  | 'ready'
  /** Gone, off, or not ready: every channel is closed. */
  | 'lost'
  /** Power is on, files are not read yet. */
  | 'present'
  /** Said again and again by some modems when a card has been initialised. */
  | 'initialised';

/** @returns undefined when the line is about something else (at.md §6) */
export function simReport(line: string): SimReport | undefined {
  if (line.startsWith('+CPIN:')) return line.slice(6).trim() === 'READY' ? 'ready' : 'lost';
  // +QSIMSTAT: <enable>,<inserted>
  if (line.startsWith('+QSIMSTAT:')) {
    const inserted = line.slice(10).split(',')[1]?.trim();
    if (inserted === '0') return 'lost';
    return inserted === '1' ? 'present' : undefined;
  }
  if (line.startsWith('+QUSIM:')) return 'initialised';
  if (line.startsWith('+SIM:')) {
    const state = line.slice(5).toUpperCase();
    if (state.includes('NOT') || state.includes('REMOVED') || state.includes('ABSENT')) return 'lost';
    return state.includes('READY') ? 'ready' : 'present';
  }
  return undefined;
}
