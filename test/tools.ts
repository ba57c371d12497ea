import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'vitest';

/** Programs beyond Node that some tests need, and the Debian packages they come from; .ci/run installs them all. */
const PACKAGES = {
  'coap-client-gnutls': 'libcoap3-bin',
  'coap-client-notls': 'libcoap3-bin',
  'coap-client-openssl': 'libcoap3-bin',
  'coap-server-gnutls': 'libcoap3-bin',
  'coap-server-openssl': 'libcoap3-bin',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  socat: 'socat',
} as const;

export type Tool = keyof typeof PACKAGES;

/** Debian keeps servers out of a plain user's PATH. */
const BESIDE_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Path of a program, or undefined when it is not installed. */
export function tool(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), ...BESIDE_PATH]) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory.
    }
  }
  return undefined;
}

/** Paths of the tools that were asked for. */
export type Tools<Name extends Tool> = { readonly [name in Name]: string };

/**
 * A `describe` that needs programs. When one is missing its tests are skipped, and the title says why; with XS_IPA_NO_SKIP
 * set it fails instead, so that a machine that should have everything cannot pass by skipping.
 */
export function describeWith<Name extends Tool>(
  names: readonly Name[],
  title: string,
  tests: (tools: Tools<Name>) => void,
): void {
  const paths = names.map((name) => [name, tool(name)] as const);
  const missing = paths.flatMap(([name, path]) => (path === undefined ? [name] : []));
  if (missing.length === 0) {
    describe(title, () => tests(Object.fromEntries(paths) as Tools<Name>));
    return;
  }
  const packages = [...new Set(missing.map((name) => PACKAGES[name]))].join(' ');
  const reason = `${missing.join(', ')} not found: apt-get install ${packages}`;
  if (process.env.XS_IPA_NO_SKIP) {
    it(title, () => {
      throw new Error(`${reason} (XS_IPA_NO_SKIP is set)`);
    });
  } else {
    it.skip(`${title} [skipped: ${reason}]`);
  }
}
