import type { OperationResult, Outcome } from '../eim/index.js';
import { jsonable } from '../trace/index.js';

type Fields = Record<string, unknown>;

/** An outcome for people. */
export function outcomeLines(outcome: Outcome): string[] {
  switch (outcome.outcome) {
    case 'verified': {
      const head = `${outcome.ok ? 'done' : 'failed'}; signed by the eUICC and verified (counter ${outcome.counterValue}, result ${outcome.seqNumber})`;
      return [head, ...outcome.results.flatMap(operationLines)];
    }
    case 'data':
      return treeLines(outcome.data, '');
    case 'refused': {
      const who = {
        euicc: 'the eUICC refused it, signed and verified',
        euiccUnsigned: 'the eUICC refused it',
        ipa: 'the IPA refused it',
        eim: 'the eIM did not send it',
      }[outcome.by];
      const code = outcome.code === undefined ? '' : ` (${outcome.code})`;
      return [`${who}: ${outcome.name}${code}${outcome.detail ? `: ${outcome.detail}` : ''}`];
    }
    case 'downloaded':
      return [`installed profile ${outcome.iccid ?? ''} (${outcome.aid}); signed by the eUICC and verified`];
    case 'downloadFailed': {
      const who =
        outcome.by === 'euicc' ? 'the eUICC did not install it, signed and verified' : 'the IPA gave up';
      const given = outcome.errorResponse === undefined ? '' : `, it was told ${outcome.errorResponse}`;
      return [`${who}: ${outcome.name}${given}`];
    }
    case 'timeout':
      return [
        outcome.sent
          ? 'no result in time; the package has been sent, and the device may still carry it out'
          : 'the device did not fetch it in time; the order is withdrawn',
      ];
  }
}

function operationLines(result: OperationResult): string[] {
  const { op, ok, code, name, profiles, rules, eims, associationToken, raw } = result;
  if (profiles) return profileLines(profiles as Fields[]);
  if (rules) return rules.length > 0 ? treeLines(rules, '') : ['no rules'];
  if (eims)
    return table([
      ['EIM', 'TYPE'],
      ...(eims as Fields[]).map((eim) => [text(eim.eimId), text(eim.eimIdType)]),
    ]);
  const token = associationToken === undefined ? '' : `, association token ${associationToken}`;
  const why = code === undefined ? '' : ` ${name} (${code})`;
  return [`${op}: ${ok ? 'ok' : 'failed'}${ok ? '' : why}${token}${raw === undefined ? '' : ` ${raw}`}`];
}

/** ProfileInfo objects, decoded, as a table. */
export function profileLines(profiles: readonly Fields[]): string[] {
  if (profiles.length === 0) return ['no profiles'];
  const marks = (profile: Fields) =>
    [
      profile.fallbackAttribute === true && 'fallback',
      profile.ecallIndication === true && 'emergency',
    ].filter((mark) => mark !== false);
  return table([
    ['ICCID', 'STATE', 'CLASS', 'PROVIDER', 'NAME', ''],
    ...profiles.map((profile) => [
      text(profile.iccid),
      text(profile.profileState),
      text(profile.profileClass),
      text(profile.serviceProviderName),
      text(profile.profileNickname || profile.profileName),
      marks(profile).join(', '),
    ]),
  ]);
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
}

/** Any decoded value, one leaf a line. */
function treeLines(value: unknown, indent: string): string[] {
  const shown = jsonable(value);
  if (shown === null || typeof shown !== 'object') return [`${indent}${text(shown)}`];
  const entries = Object.entries(shown);
  if (entries.length === 0) return [`${indent}none`];
  return entries.flatMap(([name, entry]) => {
    const label = Array.isArray(shown) ? '-' : `${name}:`;
    if (isPlainList(entry)) return [`${indent}${label} ${entry.map(text).join(', ') || 'none'}`];
    if (entry !== null && typeof entry === 'object') {
      return [`${indent}${label}`, ...treeLines(entry, `${indent}  `)];
    }
    return [`${indent}${label} ${text(entry)}`];
  });
}

function isPlainList(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.every((entry) => entry === null || typeof entry !== 'object');
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}
