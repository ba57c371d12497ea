import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { xsIpa } from '../../program.js';

type Json = Record<string, unknown>;
const COMMON = ['event', 'at', 'who'];

/** docs/events.md, one text for each heading. */
const sections = new Map(
  readFileSync('docs/events.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text] as const),
);

/** Names that a section has in backticks. */
function documented(section: string): Set<string> {
  const prose = section.replaceAll(/^```[\s\S]*?^```/gm, '');
  return new Set([...prose.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name));
}

describe('the stream of a demo run', () => {
  let lines: string[];
  let events: Json[];

  beforeAll(async () => {
    const program = xsIpa('demo', '--json', '--baud', '0', '--speed', '5');
    const code = await program.ended();
    lines = program.lines;
    expect(code, lines.slice(-3).join('\n')).toBe(0);
    events = lines.map((line) => JSON.parse(line));
  }, 60_000);

  it('is one JSON object a line, with the fields that all have', () => {
    expect(lines.length).toBeGreaterThan(500);
    for (const event of events) {
      expect(event).toMatchObject({
        event: expect.any(String),
        at: expect.any(Number),
        who: expect.any(String),
      });
    }
  });

  it('has time in order', () => {
    let before = 0;
    for (const { at } of events) {
      expect(at).toBeGreaterThanOrEqual(before);
      before = at as number;
    }
  });

  it('has what the order guarantees', () => {
    const seen = { at: 0, executed: 0 };
    let packages = 0;
    for (const { event, what, function: name } of events) {
      if (event === 'at') seen.at++;
      if (what === 'packageExecuted') seen.executed++;
      if (event !== 'apdu') continue;
      // The lines of an APDU come before it.
      expect(seen.at).toBeGreaterThan(0);
      seen.at = 0;
      if (name !== 'EuiccPackageRequest') continue;
      packages += seen.executed;
      seen.executed = 0;
    }
    expect(packages).toBeGreaterThan(3);
  });

  it('is documented: every event, its fields and their names in detail', () => {
    const missing = new Set<string>();
    for (const event of events) {
      const section = sections.get(event.event as string);
      if (section === undefined) {
        missing.add(`## ${event.event}`);
        continue;
      }
      const names = documented(section);
      const need = Object.keys(event).filter((name) => !COMMON.includes(name));
      for (const field of ['detail', 'packages', 'uartBytes', 'esipa']) {
        const part = event[field];
        if (part !== null && typeof part === 'object') need.push(...Object.keys(part));
      }
      for (const field of ['what', 'notice', 'state', 'direction', 'kind'])
        if (typeof event[field] === 'string') need.push(event[field] as string);
      for (const name of need) if (!names.has(name)) missing.add(`${event.event}: ${name}`);
    }
    expect([...missing]).toEqual([]);
  });

  it('ends with the summary', () => {
    const summaries = events.filter(({ event }) => event === 'summary');
    expect(summaries).toEqual([events.at(-1)]);
    const number = expect.any(Number);
    expect(events.at(-1)).toMatchObject({
      event: 'summary',
      ok: true,
      failures: [],
      packages: { queued: number, verified: number, answered: number, refused: number, rejected: 0 },
      apdus: number,
      uartBytes: { up: number, down: number },
      esipa: { messages: number, bytesUp: number, bytesDown: number },
    });
  });

  it('and its figures are those of the events', () => {
    const { packages, notifications, profileSwitches, apdus, esipa } = events.at(-1) as Record<string, Json>;
    const count = (fits: (event: Json) => boolean) => events.filter(fits).length;
    const eim = (what: string) => count((event) => event.event === 'eim' && event.what === what);
    expect(packages).toMatchObject({
      queued: eim('queued'),
      verified: eim('verified'),
      refused: eim('refused'),
      rejected: eim('rejected'),
    });
    expect(packages.queued).toBeGreaterThan(5);
    expect(notifications).toBe(eim('notification'));
    expect(profileSwitches).toBe(count(({ what }) => what === 'profileSwitched'));
    expect(apdus).toBe(count(({ event }) => event === 'apdu'));
    const messages = events.filter(({ event }) => event === 'esipa');
    const bytes = (way: string) =>
      messages
        .filter(({ direction }) => direction === way)
        .reduce((sum, { der }) => sum + (der as string).length / 2, 0);
    expect(esipa).toMatchObject({
      messages: messages.length,
      bytesUp: bytes('up'),
      bytesDown: bytes('down'),
    });
  });
});

describe('docs/events.md', () => {
  const examples = [...sections].flatMap(([title, text]) =>
    [...text.matchAll(/^```json\n(.*)\n```$/gm)].map(([, line]) => ({ title, line })),
  );

  it.each(examples)(
    'the example of $title is of that event, and its fields are explained',
    ({ title, line }) => {
      const example = JSON.parse(line) as Json;
      expect(example.event).toBe(title);
      const names = documented(sections.get(title)!);
      for (const field of Object.keys(example)) if (!COMMON.includes(field)) expect(names).toContain(field);
    },
  );

  it('has an example for every event of the types', () => {
    const declared = ['hal/contracts/events.ts', 'ipa/events.ts', 'host-sim/events.ts'].flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/event: '([a-z-]+)'/g)].map(([, name]) => name),
    );
    expect(declared.length).toBeGreaterThan(12);
    expect(examples.map(({ title }) => title)).toEqual(expect.arrayContaining(declared));
  });
});
