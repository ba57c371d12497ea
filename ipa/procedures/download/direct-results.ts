import { readInstallationResult, removeNotificationFromList } from '../../es10/index.js';
import { utf8 } from '../../text.js';
import type { IpaContext } from '../context.js';
import { RspRefusal } from './server.js';
import { readNotification } from './stored-result.js';

/**
 * Brings the results of direct downloads to their SM-DP+ and removes them from the eUICC (procedures.md §6, step 14, and
 * §10, rule 6).
 * @throws XsIpaError when one cannot be reached: the rest is for later; RspRefusal, in the end, when one was refused
 */
export async function deliverDirect(context: IpaContext): Promise<void> {
  // From here on an empty stack (docs/design.md §4).
  await undefined;
  const { downloads, result, connectSmdp } = context;
  let refusal: RspRefusal | undefined;
  for (const seqNumber of [...downloads.direct]) {
    const isThere = await readNotification(context, seqNumber);
    const { notificationAddress } = isThere
      ? readInstallationResult(result.bytes)
      : { notificationAddress: undefined };
    if (notificationAddress && connectSmdp) {
      context.enter('delivering');
      const server = connectSmdp(utf8(notificationAddress));
      try {
        await server.handleNotification(result.bytes);
      } catch (error) {
        // It stays for later, and is no reason to keep back the others.
        if (!(error instanceof RspRefusal)) throw error;
        refusal = error;
        continue;
      } finally {
        server.close();
      }
      await removeNotificationFromList(context.es10, seqNumber);
    }
    // What the eUICC does not have any more, or names no SM-DP+, is nobody's.
    downloads.removeDirect(seqNumber);
  }
  result.release();
  if (refusal) throw refusal;
}
