import { CmeError } from './error.js';
import { smallNumber } from './line.js';
import type { Attachment } from './network.js';
import type { Forms, Mt, PacketContext } from './settings.js';

/** Commands of radio, registration and packet data (3GPP TS 27.007 §7, §8.2, §10). */
export const networkCommands: Record<string, Forms> = {
  '+CREG': registrationReport('+CREG'),
  '+CGREG': registrationReport('+CGREG'),
  '+CEREG': registrationReport('+CEREG'),
  '+CFUN': {
    set: (mt, parameters) => setFunction(mt, parameters),
    read: (mt) => [`+CFUN: ${mt.settings.cfun}`],
    test: '(0,1,4),(0,1)',
  },
  '+COPS': { set: setOperator, read: (mt) => [operator(mt)], test: (mt) => [operators(mt)] },
  '+CGATT': {
    set: (mt, [value]) => {
      mt.settings.detached = smallNumber(value, 1) === 0;
      if (!mt.settings.detached && !mt.radio.registered) throw new CmeError(30);
      if (mt.settings.detached) for (const context of mt.settings.contexts.values()) context.active = false;
      return undefined;
    },
    read: (mt) => [`+CGATT: ${mt.radio.registered && !mt.settings.detached ? 1 : 0}`],
    test: '(0,1)',
  },
  '+CGDCONT': {
    set: defineContext,
    read: (mt) => contexts(mt).map(([cid, { type, apn }]) => `+CGDCONT: ${cid},"${type}","${apn}","",0,0`),
    test: '(1-16),"IP",,,(0),(0)',
  },
  '+CGAUTH': {
    set: authenticate,
    read: (mt) =>
      contexts(mt).map(
        ([cid, { auth }]) => `+CGAUTH: ${cid},${auth?.protocol ?? 0}${auth ? `,"${auth.user}"` : ''}`,
      ),
    test: '(1-16),(0-2),50,50',
  },
  '+CGACT': {
    set: activate,
    read: (mt) => contexts(mt).map(([cid, { active }]) => `+CGACT: ${cid},${active ? 1 : 0}`),
    test: '(0,1)',
  },
  '+CGPADDR': {
    run: (mt) => contexts(mt).map(([cid, context]) => address(mt, cid, context)),
    set: (mt, parameters) =>
      parameters.map((text) => {
        const cid = smallNumber(text, 16);
        return address(mt, cid, context(mt, cid));
      }),
    test: '(1)',
  },
  '+CGEREP': {
    set: (mt, [mode]) => {
      mt.settings.packetEvents = smallNumber(mode, 2);
      return undefined;
    },
    read: (mt) => [`+CGEREP: ${mt.settings.packetEvents},0`],
    test: '(0-2),(0,1)',
  },
  '+CSQ': { run: (mt) => [mt.radio.registered ? '+CSQ: 22,99' : '+CSQ: 99,99'], test: '(0-31,99),(99)' },
};

function registrationReport(name: string): Forms {
  return {
    set: (mt, [n]) => {
      mt.settings.reports[name] = smallNumber(n, 2);
      return undefined;
    },
    read: (mt) => {
      const n = mt.settings.reports[name];
      return [`${name}: ${n},${mt.radio.stat}${location(n, mt.radio.attachment)}`];
    },
    test: '(0-2)',
  };
}

/** The unsolicited form, which lacks `n`. */
export function registrationLine(mt: Mt, name: string): string {
  return `${name}: ${mt.radio.stat}${location(mt.settings.reports[name], mt.radio.attachment)}`;
}

function location(n: number, attachment: Attachment | undefined): string {
  return n === 2 && attachment ? `,"${attachment.tac}","${attachment.cell}",${attachment.act}` : '';
}

function setFunction(mt: Mt, [level, reset]: readonly string[]): undefined {
  const value = smallNumber(level, 4);
  if (value !== 0 && value !== 1 && value !== 4) throw new CmeError(50);
  if (reset !== undefined && smallNumber(reset, 1) === 1) {
    mt.restart();
    return;
  }
  mt.settings.cfun = value;
  if (value === 0) mt.sim.deactivate();
  else if (mt.sim.state === 'off') mt.sim.activate();
  mt.tune();
}

function setOperator(mt: Mt, [mode, format, name]: readonly string[]): undefined {
  const value = smallNumber(mode, 4);
  if (format !== undefined && format !== '') {
    const wanted = smallNumber(format, 2);
    if (value === 3) mt.settings.operatorFormat = wanted;
  }
  if (value === 3) return;
  if (value === 1 && !(name !== undefined && offers(mt, name))) throw new CmeError(30);
  mt.settings.operatorMode = value === 2 ? 2 : 0;
  mt.tune();
}

function offers(mt: Mt, name: string): boolean {
  const offer = mt.radio.offer;
  return offer !== undefined && (offer.plmn === name || offer.operator === name);
}

function operator(mt: Mt): string {
  const serving = mt.radio.attachment;
  const { operatorFormat, operatorMode } = mt.settings;
  if (!serving) return `+COPS: ${operatorMode}`;
  return `+COPS: ${operatorMode},${operatorFormat},"${operatorFormat === 2 ? serving.plmn : serving.operator}",${serving.act}`;
}

function operators(mt: Mt): string {
  const offer = mt.radio.offer;
  const list = offer
    ? `(${mt.radio.registered ? 2 : 1},"${offer.operator}","${offer.operator}","${offer.plmn}",${offer.act})`
    : '';
  return `+COPS: ${list},,(0,1,2,3,4),(0,1,2)`;
}

function contexts(mt: Mt): [number, PacketContext][] {
  return [...mt.settings.contexts].sort(([a], [b]) => a - b);
}

function context(mt: Mt, cid: number): PacketContext {
  const found = mt.settings.contexts.get(cid);
  if (!found) throw new CmeError(50);
  return found;
}

function defineContext(mt: Mt, [cid, type, apn]: readonly string[]): undefined {
  const number = smallNumber(cid, 16);
  if (number === 0) throw new CmeError(50);
  if (type === undefined) mt.settings.contexts.delete(number);
  else
    mt.settings.contexts.set(number, {
      type,
      apn: apn ?? '',
      active: mt.settings.contexts.get(number)?.active ?? false,
      auth: mt.settings.contexts.get(number)?.auth,
    });
}

/** 3GPP TS 27.007 §10.1.31. */
function authenticate(mt: Mt, [cid, protocol = '0', user = '', password = '']: readonly string[]): undefined {
  const found = context(mt, smallNumber(cid, 16));
  const chosen = smallNumber(protocol, 2);
  found.auth = chosen === 0 ? undefined : { protocol: chosen, user, password };
}

function activate(mt: Mt, [state, ...cids]: readonly string[]): undefined {
  const active = smallNumber(state, 1) === 1;
  const chosen =
    cids.length > 0
      ? cids.map((cid) => context(mt, smallNumber(cid, 16)))
      : [...mt.settings.contexts.values()];
  if (active && (!mt.radio.registered || mt.settings.detached)) throw new CmeError(30);
  for (const entry of chosen) entry.active = active;
}

/** An address that differs from subscription to subscription. */
function address(mt: Mt, cid: number, { active }: PacketContext): string {
  if (!active) return `+CGPADDR: ${cid}`;
  const tail = Number((mt.sim.imsi ?? '0').slice(-6)) + cid;
  return `+CGPADDR: ${cid},"10.${(tail >> 16) & 255}.${(tail >> 8) & 255}.${tail & 255}"`;
}
