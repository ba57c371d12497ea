import type { RemoteProfileProvisioningRequest, RemoteProfileProvisioningResponse } from '../asn1/index.js';

/**
 * Asks an SM-DP+ or SM-DS (ES9+', ES11'): in this process, or far away, and then the answer is a promise that rejects when
 * it cannot be reached. HandleNotification has no answer.
 */
export type RspConnection = (
  address: string,
  request: RemoteProfileProvisioningRequest,
) => RemoteProfileProvisioningResponse | undefined | Promise<RemoteProfileProvisioningResponse | undefined>;

export type Later<T> = T | Promise<T>;

export function whenThere<T, R>(value: Later<T>, next: (value: T) => R): Later<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
