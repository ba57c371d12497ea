import type { Timer } from '../hal/contracts/index.js';

/** On Linux the network is the system's business. */
export function startNetwork(
  _ssid: string,
  _password: string | undefined,
  timer: Timer,
  onUp: () => void,
): void {
  timer.set(onUp, 0);
}
