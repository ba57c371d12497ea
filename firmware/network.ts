import WiFi from 'embedded:network/interface/wifi';
import type { Timer, TimerHandle } from '../hal/contracts/index.js';

const RETRY = 15_000;
/** Values of `connection`: from here on there is an address; up to here there is no connection. */
const ADDRESS = 500;
const DISCONNECTED = 200;

/** Keeps Wi-Fi connected from now on; `onUp` is called once, with the first address. */
export function startNetwork(
  ssid: string,
  password: string | undefined,
  timer: Timer,
  onUp: () => void,
): void {
  if (ssid === '') {
    onUp();
    return;
  }
  let up = false;
  let retry: TimerHandle | undefined;
  const wifi = new WiFi({
    onChanged: () => {
      if (wifi.connection >= ADDRESS) {
        timer.clear(retry);
        retry = undefined;
        if (up) return;
        up = true;
        onUp();
      } else if (wifi.connection <= DISCONNECTED && retry === undefined) {
        retry = timer.set(() => {
          retry = undefined;
          connect();
        }, RETRY);
      }
    },
  });
  const options: { SSID: string; password?: string; secure?: boolean } = { SSID: ssid };
  if (password) {
    options.password = password;
    options.secure = true;
  }
  const connect = () => wifi.connect(options);
  connect();
}
