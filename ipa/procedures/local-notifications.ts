import { XsIpaError } from '../../hal/contracts/index.js';
import { IpaError } from '../error.js';
import {
  listNotificationMetadata,
  type NotificationMetadata,
  removeNotificationFromList,
  retrieveNotification,
} from '../es10/index.js';
import type { IpaContext } from './context.js';
import { optional } from './deliver.js';
import { RspRefusal } from './download/server.js';

/** What became of the notifications that were to be sent. */
export interface SentNotifications {
  sent: number[];
  /** Those that stay on the eUICC, and why; `refused` by their SM-DP+, so that trying again soon is no use. */
  kept: { seqNumber: number; reason: string; refused: boolean }[];
}

/** What waits on the eUICC to be brought to an SM-DP+, oldest first. */
export function notifications(context: IpaContext): Promise<NotificationMetadata[]> {
  return context.onCard(() => listNotificationMetadata(context.es10));
}

/**
 * Brings notifications to the SM-DP+ that each of them names, oldest first, and removes from the eUICC what has arrived (SGP.22
 * §3.5). One that is refused, or whose server cannot be reached, stays and does not hold up those of others.
 * @param only sequence numbers; all when not given
 * @throws IpaError `noSmdp`; `usage` for a number that is not on the eUICC
 */
export async function sendNotifications(
  context: IpaContext,
  only?: readonly number[],
): Promise<SentNotifications> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  if (!context.connectSmdp)
    throw new IpaError('noSmdp', 'this device has no HTTP client to reach an SM-DP+ with');
  await needNetwork(context);
  const pending = await notifications(context);
  for (const seqNumber of only ?? [])
    if (!pending.some((one) => one.seqNumber === seqNumber)) throw notThere(seqNumber);
  const found: SentNotifications = { sent: [], kept: [] };
  const unreachable: string[] = [];
  for (let i = 0; i < pending.length; i++) {
    const { seqNumber, address } = pending[i];
    if (only && !only.includes(seqNumber)) continue;
    const reason = unreachable.includes(address)
      ? `${address} cannot be reached`
      : await send(context, pending[i], unreachable);
    if (reason === undefined) found.sent.push(seqNumber);
    else found.kept.push({ seqNumber, reason, refused: !unreachable.includes(address) });
  }
  if (!only) context.notificationsPending = found.kept.some(({ refused }) => !refused);
  context.result.release();
  return found;
}

/** @throws IpaError `notRegistered` where the modem's data connection is the only way and does not come up */
export async function needNetwork(context: IpaContext): Promise<void> {
  const { networkThroughModem, registrationDeadline } = context.settings;
  if (networkThroughModem && !(await context.waitRegistered(registrationDeadline)))
    throw new IpaError('notRegistered', 'the modem is not registered: no SM-DP+ can be reached');
}

/** @returns why it stays on the eUICC; undefined when it has arrived */
async function send(
  context: IpaContext,
  { seqNumber, address }: NotificationMetadata,
  unreachable: string[],
): Promise<string | undefined> {
  const { es10, result, downloads } = context;
  const list = await optional(() => retrieveNotification(es10, seqNumber));
  if (!list?.is(0xa0) || !list.enter().next()) return 'the eUICC does not give it';
  result.clear().write(list.element);
  context.enter('delivering');
  const server = context.connectSmdp!(address);
  try {
    await server.handleNotification(result.bytes);
  } catch (error) {
    if (!(error instanceof XsIpaError)) throw error;
    if (!(error instanceof RspRefusal)) unreachable.push(address);
    return error.message;
  } finally {
    server.close();
  }
  const removed = await removeNotificationFromList(es10, seqNumber);
  downloads.removeDirect(seqNumber);
  return removed > 1 ? `the eUICC refused to remove it with ${removed}` : undefined;
}

/** Takes a notification off the eUICC although nobody got it. @throws IpaError `usage` when it is not there */
export async function removeNotification(context: IpaContext, seqNumber: number): Promise<void> {
  const code = await context.onCard(() => removeNotificationFromList(context.es10, seqNumber));
  if (code === 1) throw notThere(seqNumber);
  if (code !== 0)
    throw new IpaError('refusedByEuicc', `the eUICC refused to remove ${seqNumber} with ${code}`, code);
  context.downloads.removeDirect(seqNumber);
}

function notThere(seqNumber: number): IpaError {
  return new IpaError('usage', `no notification with number ${seqNumber} waits on this eUICC`);
}
