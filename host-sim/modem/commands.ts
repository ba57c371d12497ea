import { cardCommands } from './card-commands.js';
import { CmeError, LineError, Silence } from './error.js';
import { swappedDigits } from './hex.js';
import { type Command, smallNumber } from './line.js';
import { networkCommands } from './network-commands.js';
import type { Forms, Handler, Mt } from './settings.js';

const nothing: Handler = () => undefined;
const accepted: Forms = { run: nothing, set: nothing };

const manufacturer: Handler = (mt) => [mt.personality.manufacturer];
const model: Handler = (mt) => [mt.personality.model];
const revision: Handler = (mt) => [mt.personality.revision];

const generalCommands: Record<string, Forms> = {
  E: {
    run: (mt) => onOff(mt, 'echo', undefined),
    set: (mt, [value]) => onOff(mt, 'echo', value),
  },
  V: {
    run: (mt) => onOff(mt, 'verbose', undefined),
    set: (mt, [value]) => onOff(mt, 'verbose', value),
  },
  Z: { run: resetSettings, set: resetSettings },
  '&F': { run: resetSettings, set: resetSettings },
  '&C': accepted,
  '&D': accepted,
  '&W': accepted,
  Q: { run: nothing, set: (_mt, [value]) => void smallNumber(value, 0) },
  I: {
    run: (mt) => [mt.personality.manufacturer, mt.personality.model, `Revision: ${mt.personality.revision}`],
    set: (mt) => [mt.personality.manufacturer, mt.personality.model, `Revision: ${mt.personality.revision}`],
  },
  '+CGMI': { run: manufacturer, test: '' },
  '+CGMM': { run: model, test: '' },
  '+CGMR': { run: revision, test: '' },
  '+CGSN': {
    run: (mt) => [mt.imei],
    set: (mt, [which]) => (smallNumber(which, 1) === 1 ? [`+CGSN: "${mt.imei}"`] : [mt.imei]),
    test: '(0,1)',
  },
  '+CMEE': {
    set: (mt, [value]) => {
      mt.settings.cmee = smallNumber(value, 2);
      return undefined;
    },
    read: (mt) => [`+CMEE: ${mt.settings.cmee}`],
    test: '(0-2)',
  },
  '+CLAC': { run: (mt) => known(mt) },
};

function onOff(mt: Mt, which: 'echo' | 'verbose', value: string | undefined): undefined {
  if (value !== undefined && value !== '0' && value !== '1') throw new LineError(`no value ${value}`);
  mt.settings[which] = value === '1';
}

function resetSettings(mt: Mt): undefined {
  mt.settings.reset(mt.personality);
}

const table: Record<string, Forms> = { ...generalCommands, ...cardCommands, ...networkCommands };

function known(mt: Mt): string[] {
  const all = Object.keys(table).filter((name) => !mt.personality.missing.includes(name));
  return [...all, ...mt.personality.iccid.map((entry) => entry.command)].map((name) => `AT${name}`);
}

/** The four commands whose `=?` form personalities differ in. */
const PROBED = ['+CSIM', '+CCHO', '+CGLA', '+CCHC'];

/** Carries one command out. @returns the lines of its answer  @throws CmeError, LineError, Silence */
export async function execute(mt: Mt, command: Command): Promise<string[]> {
  const { name, form, parameters } = command;
  const iccid = mt.personality.iccid.find((entry) => entry.command === name);
  if (iccid) return iccidAnswer(mt, iccid, form);
  const forms =
    Object.hasOwn(table, name) && !mt.personality.missing.includes(name) ? table[name] : undefined;
  const handler = forms?.[form];
  if (!forms || handler === undefined) throw new LineError(`AT${name} has no such form`);
  if (form === 'test' && PROBED.includes(name)) {
    if (mt.personality.probes === 'silent') throw new Silence();
    if (mt.personality.probes === 'error') throw new LineError('no test form');
    if (mt.personality.probes === 'ok') return [];
  }
  if (typeof handler === 'string') return handler === '' ? [] : [`${name}: ${handler}`];
  return (await handler(mt, parameters)) ?? [];
}

function iccidAnswer(mt: Mt, entry: Mt['personality']['iccid'][number], form: Command['form']): string[] {
  if (form === 'test') return [];
  if (form === 'set') throw new LineError('nothing to set');
  mt.sim.demandReady();
  if (!mt.sim.iccid) throw new CmeError(13);
  const digits = swappedDigits(mt.sim.iccid);
  return [`${entry.answer ?? entry.command}: ${entry.quoted ? `"${digits}"` : digits}`];
}
