import Host, { Serial, Storage, Time, Timer } from 'host';
import { AtModem } from '../../../hal/modem/index.js';
import type { DeviceWay } from '../../../host-sim/xs/wire.js';
import type { IpaEvent } from '../../../ipa/events.js';
import { Ipad } from '../../../ipa/ipad.js';
import { SmdpServer } from '../../../ipa/procedures/index.js';
import { httpTo, makeLink, protocolsOfWays } from './link.js';

/** Configuration of the whole IPA on the XS host. */
export interface IpaConfig {
  baud: number;
  /** To its only eIM. */
  way: DeviceWay;
  /** Where every SM-DP+ is, whatever its name: plain HTTP. Without it downloads come through the eIM. */
  smdp?: { address: string; port: number };
  /** Hex of the EimConfigurationData to associate, if any. */
  initialEim?: string;
  maxResponse?: number;
  blockSize?: number;
  /** Milliseconds between polls. */
  pollInterval?: number;
  /** Polls after which the host ends. */
  polls?: number;
  quirks?: string;
  access?: 'auto' | 'csim' | 'cgla';
  log?: boolean;
  /** The way to the eIM is the modem's data connection. */
  networkThroughModem?: boolean;
  /** Polls and ends when it is told to: `call N` (run.ts) is N polls, one after the other. Logs its state, and nothing else. */
  commanded?: boolean;
}

/** The composition root of a device, with figures taken part by part. */
export default function main(configuration: Readonly<Record<string, unknown>>): void {
  const config = configuration as unknown as IpaConfig;
  Host.mark('boot');
  const observe = config.log ? log : undefined;
  const modem = new AtModem({
    serial: { io: Serial, baud: config.baud, port: 1 },
    timer: Timer,
    time: Time,
    access: config.access,
    quirks: config.quirks,
    maxResponse: config.maxResponse,
    observe,
  });
  Host.mark('AtModem');
  const storage = Storage.open({ path: 'ipa', format: 'string' });
  const random = () => Host.random();
  const { commanded, smdp } = config;
  let polls = 0;
  const ipad = new Ipad({
    modem,
    platform: { timer: Timer, time: Time, random, storage },
    initialEim: config.initialEim ? bytes(config.initialEim) : undefined,
    blockSize: config.blockSize,
    settings: {
      networkThroughModem: config.networkThroughModem ?? false,
      pollInterval: config.pollInterval ?? 3_600_000,
      supportedProtocols: protocolsOfWays({ eim: config.way }),
    },
    observe: (event) => {
      observe?.(event);
      if (event.event === 'failure') Host.log(`failure in ${event.where}: ${event.code}: ${event.detail}`);
      if (event.event !== 'state') return;
      if (commanded) {
        Host.log(event.state);
        if (event.state === 'idle' && polls > 0 && --polls > 0) ipad.poll();
        return;
      }
      Host.log(`state ${event.state}`);
      if (event.state === 'unassociated') Host.exit();
      if (event.state !== 'idle') return;
      Host.mark(polls === 0 ? 'first idle' : `poll ${polls}`);
      if (polls === 0) Host.census('idle');
      if (polls++ === (config.polls ?? 1)) Host.exit();
      else Timer.set(() => ipad.poll(), 100);
    },
    connectSmdp: smdp && ((address) => new SmdpServer(address, httpTo(address, smdp))),
    createLink: (eim, eid) => {
      if (commanded) Host.mark('before the link');
      const link = makeLink({ way: config.way, eim, eid, random, observe });
      if (commanded) Host.mark('link');
      return link;
    },
  });
  if (commanded) {
    Host.onCommand((count) => {
      polls = count;
      ipad.poll();
    });
  }
  Host.mark('Ipad');
  void ipad.run();
}

function bytes(hex: string): Uint8Array {
  const result = new Uint8Array(hex.length / 2);
  for (let i = 0; i < result.length; i++) result[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return result;
}

function log(event: { event: string } | IpaEvent): void {
  if (event.event === 'at') {
    const { line, direction } = event as unknown as { line: Uint8Array; direction: string };
    Host.log(`${direction} ${String.fromCharCode(...line.subarray(0, 60))}`);
  } else if (event.event === 'link') Host.log(JSON.stringify(event));
}
