import { XsIpaError } from '../hal/contracts/index.js';
import type { ProfileInfo } from '../ipa/es10/index.js';
import {
  addProfile,
  deleteProfile,
  disableProfile,
  enableProfile,
  nameProfile,
  notifications,
  type Operation,
  profiles,
  removeNotification,
  sendNotifications,
} from '../ipa/procedures/index.js';
import { iccidDigits } from '../ipa/text.js';

/** Ipad.perform(). */
export type Perform = <T>(operation: Operation<T>) => Promise<T>;

export const CARD_HELP = [
  'list | enable ICCID | disable ICCID | delete ICCID | nickname ICCID [text]',
  'add activation-code [confirmation code] | notifications [send | remove number]',
] as const;

const EVENTS = ['install', 'enable', 'disable', 'delete'] as const;

/**
 * What a person wants of the eUICC, as lines of a console.
 * @param value what stands behind the name, spaces and all
 * @returns the lines of the answer; undefined when it is no command of the card
 */
export function runCardCommand(
  perform: Perform,
  command: string,
  name: string,
  value: string,
): Promise<string[]> | undefined {
  switch (command) {
    case 'list':
      return perform(profiles).then((found) => (found.length > 0 ? found.map(line) : ['no profiles']));
    case 'enable':
      return done(perform((context) => enableProfile(context, name)));
    case 'disable':
      return done(perform((context) => disableProfile(context, name)));
    case 'delete':
      return done(perform((context) => deleteProfile(context, name)));
    case 'nickname':
      return done(perform((context) => nameProfile(context, name, value)));
    case 'add':
      return perform((context) => addProfile(context, name, value || undefined)).then((iccid) => [
        `installed ${iccid}`,
      ]);
    case 'notifications':
      return aboutNotifications(perform, name, value);
  }
  return undefined;
}

function done(work: Promise<void>): Promise<string[]> {
  return work.then(() => ['ok']);
}

function line(one: ProfileInfo): string {
  const { iccid, enabled, nickname, serviceProviderName, profileName } = one;
  const name = nickname || `${serviceProviderName} ${profileName}`;
  return printable(`${iccidDigits(iccid)} ${enabled ? 'enabled ' : 'disabled'} ${name}`);
}

async function aboutNotifications(perform: Perform, name: string, value: string): Promise<string[]> {
  if (name === 'send') {
    const { sent, kept } = await perform((context) => sendNotifications(context));
    const lines = kept.map(({ seqNumber, reason }) => printable(`${seqNumber} stays: ${reason}`));
    return [`sent ${sent.length}`, ...lines];
  }
  if (name === 'remove') {
    const seqNumber = Number(value || 'x');
    if (!Number.isInteger(seqNumber) || seqNumber < 0)
      throw new XsIpaError('usage', 'notifications remove needs the number of one');
    return done(perform((context) => removeNotification(context, seqNumber)));
  }
  const found = await perform(notifications);
  if (found.length === 0) return ['none wait'];
  return found.map(({ seqNumber, event, address, iccid }) =>
    printable(`${seqNumber} ${EVENTS[event] ?? '?'} ${iccid ? iccidDigits(iccid) : '-'} for ${address}`),
  );
}

/** What a profile calls itself must not steer a terminal; the console has ASCII only. */
function printable(text: string): string {
  let plain = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    plain += code >= 0x20 && code < 0x7f ? text[at] : '?';
  }
  return plain;
}
