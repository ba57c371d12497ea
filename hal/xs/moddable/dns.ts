// biome-ignore lint/style/useNodejsImportProtocol: the SDK's module, not Node's.
import Net from 'net';
import type { Resolver, ResolverRequest } from '../../contracts/index.js';

/** The platform's own resolver in the shape of ECMA-419: lwIP's costs no JavaScript heap, the SDK's over UDP does. */
export class XsResolver implements Resolver {
  #closed = false;

  resolve({ host, onResolved, onError }: ResolverRequest): void {
    Net.resolve(host, (_name: string, address?: string) => {
      if (this.#closed) return;
      if (address) onResolved?.(host, address);
      else onError?.();
    });
  }

  close(): void {
    this.#closed = true;
  }
}
