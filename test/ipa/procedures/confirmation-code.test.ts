import { expect, it } from 'vitest';
import { sha256 } from '../../../hal/node/digest.js';
import type { IpaContext } from '../../../ipa/procedures/context.js';
import { confirmation } from '../../../ipa/procedures/download/confirmation-code.js';
import { hex, toHex } from '../../hex.js';

const context = (platform: object) => ({ platform }) as unknown as IpaContext;

it('hashCc of crypto.md §4', () => {
  const hashCc = confirmation(context({ sha256 }), '1234');
  expect(toHex(hashCc!(hex('000102030405060708090A0B0C0D0E0F')))).toBe(
    'E62ED88864CCF99EBCC7C57C5A37641A99315C87F6151C3F4B77C920332E1177',
  );
});

it('is not there without a code, or without SHA-256', () => {
  expect(confirmation(context({ sha256 }), '')).toBeUndefined();
  expect(confirmation(context({}), '1234')).toBeUndefined();
});
