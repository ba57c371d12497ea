import { readInstallationResult, retrieveNotification } from '../../es10/index.js';
import type { IpaContext } from '../context.js';
import { optional } from '../deliver.js';

/** Copies the ProfileInstallationResult with this number from the eUICC into context.result, if it is not there. */
export async function readNotification(context: IpaContext, seqNumber: number): Promise<boolean> {
  const { result, es10 } = context;
  if (result.length > 0 && readInstallationResult(result.bytes).seqNumber === seqNumber) return true;
  result.clear();
  const list = await optional(() => retrieveNotification(es10, seqNumber));
  if (!list?.is(0xa0) || !list.enter().nextIs(0xbf37)) return false;
  result.write(list.element);
  return true;
}
