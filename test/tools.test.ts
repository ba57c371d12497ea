import { describe, expect, it } from 'vitest';
import { describeWith, tool } from './tools.js';

describe('tool', () => {
  it('finds what is installed and nothing else', () => {
    expect(tool('sh')).toMatch(/[\\/]sh$/);
    expect(tool('no-such-program-anywhere')).toBeUndefined();
  });
});

describeWith([], 'describeWith nothing to need', (tools) => {
  it('runs its tests', () => {
    expect(tools).toEqual({});
  });
});
