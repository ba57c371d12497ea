import SNTP from 'sntp';
import SdkTime from 'time';

/**
 * Sets the clock, which the dates of certificates are looked at with, by a time server. Nobody vouches for its answer.
 * @param done called once: when the clock is set, or the server did not answer for a while and goes on being asked
 */
export function setClock(server: string, done: () => void): void {
  let told = false;
  const tell = () => {
    if (told) return;
    told = true;
    done();
  };
  new SNTP({ host: server }, (message, value) => {
    if (message === SNTP.time && value !== undefined) SdkTime.set(value);
    if (message !== SNTP.retry) tell();
    return message === SNTP.error ? server : undefined;
  });
}
