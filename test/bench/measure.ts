import type { Census, Figures } from '../xs/run.js';
import { xsWorld } from '../xs/world.js';
import { BOARD, Device, type Live, SPEED } from './device.js';
import type { Scenario } from './scenarios.js';
import { cardTraffic, UartTap } from './uart.js';

/** Bytes and slots are above the freshly booted machine. */
export interface MemoryLine {
  bench: 'memory';
  scenario: string;
  /** Of the profile that was downloaded. */
  profileBytes?: number;
  /** What is alive at the worst moment, garbage not counted. */
  peakHeapBytes: number;
  peakStackSlots: number;
  /** When it is over. */
  idleHeapBytes: number;
  /** Against the moment before it. */
  growthBytes: number;
  /** As peakHeapBytes, with the garbage that lay about before the engine collected it. */
  peakWithGarbageBytes: number;
  /** Commands for the card as the IPA means them; exchanges are with every GET RESPONSE. */
  apdus: number;
  exchanges: number;
  /** How many exchanges without the cap on Le. */
  exchangesUncapped: number;
  /** Characters on the serial line, all of them. */
  uartUp: number;
  uartDown: number;
  /** Characters both ways that the calls of ES10 need at least. */
  uartLeast: number;
  /** The same without the cap on Le. */
  uartLeastUncapped: number;
  /** Of both, what the chains of a Bound Profile Package took, and what they need at least. */
  uartLoad: number;
  uartLoadLeast: number;
  uartLoadLeastUncapped: number;
  uartLost: number;
  /** Payload of TCP: MQTT and all it carries. */
  networkUp: number;
  networkDown: number;
  /** Processor time of the engine on this computer. */
  engineMs: number;
  /** 16 on a device. Twice that on a 64-bit host, whose figures of memory are not a device's. */
  slotBytes: number;
}

/** Marks of the device while it starts, and what is alive when it is idle for the first time. */
export interface Start {
  marks: Record<string, Figures>;
  idle: Figures;
  census: Census;
}

/** Of a scenario, and of the way from power-up to the idle device that it begins with. */
export interface Measured {
  line: MemoryLine;
  /** When it was asked for. */
  bringUp?: MemoryLine;
  start: Start;
}

/** Sections that the device marks by itself while it starts. */
const STARTING = ['AtModem', 'Ipad', 'before the link', 'link'];

/**
 * Measures a scenario on a device of its own: once as it is, for time, garbage and everything on the wires, and once with a
 * collection at every allocation, for what is alive.
 * @param bringUp measures that, too: it takes a while
 * @throws BenchFailed, and BuildError where the XS host cannot be built
 */
export async function measure(scenario: Scenario, bringUp = false): Promise<Measured> {
  const asItIs = await pass(scenario, 'never');
  const live = await pass(scenario, bringUp ? 'always' : 'scenario');
  return {
    line: merge(asItIs.line, live.line),
    ...(bringUp && { bringUp: merge(asItIs.bringUp, live.bringUp) }),
    start: asItIs.start,
  };
}

/**
 * Measures only what is alive, in a process or on a board.
 * @param bringUp as for measure(); without it that part of the result has garbage in it
 * @throws BenchFailed, and BuildError where the XS host cannot be built
 */
export function measureAlive(
  scenario: Scenario,
  bringUp: boolean,
  board?: 'rv32',
): Promise<Required<Measured>> {
  return pass(scenario, bringUp ? 'always' : 'scenario', board);
}

function merge(asItIs: MemoryLine, live: MemoryLine): MemoryLine {
  const { peakHeapBytes, idleHeapBytes, growthBytes } = live;
  const peakStackSlots = Math.max(asItIs.peakStackSlots, live.peakStackSlots);
  return { ...asItIs, peakHeapBytes, peakStackSlots, idleHeapBytes, growthBytes };
}

async function pass(scenario: Scenario, live: Live, board?: 'rv32'): Promise<Required<Measured>> {
  const tap = new UartTap();
  const { transport } = scenario;
  const profiles = scenario.profiles?.();
  const world = await xsWorld({ forgetful: true, speed: SPEED, transport, profiles, tap: tap.port });
  let network = { up: 0, down: 0 };
  let lost = 0;
  const line = (name: string, before: Figures | undefined, after: Figures): MemoryLine => {
    const { up, down, conversations } = tap.take();
    const { apdus, exchanges, exchangesUncapped, least, leastUncapped, load } = cardTraffic(
      conversations,
      BOARD.blockSize,
      BOARD.maxResponse,
    );
    const { networkBytes } = world;
    const result: MemoryLine = {
      bench: 'memory',
      scenario: name,
      peakHeapBytes: after.bytesPeak,
      peakStackSlots: after.stackPeak,
      idleHeapBytes: after.bytes,
      growthBytes: after.bytes - (before?.bytes ?? 0),
      peakWithGarbageBytes: after.bytesPeak,
      apdus,
      exchanges,
      exchangesUncapped,
      uartUp: up,
      uartDown: down,
      uartLeast: least,
      uartLeastUncapped: leastUncapped,
      uartLoad: load.taken,
      uartLoadLeast: load.least,
      uartLoadLeastUncapped: load.leastUncapped,
      uartLost: after.serial.lost - lost,
      networkUp: networkBytes.up - network.up,
      networkDown: networkBytes.down - network.down,
      engineMs: Math.round((after.engine - (before?.engine ?? 0)) / 100) / 10,
      slotBytes: after.slotBytes,
    };
    network = { ...networkBytes };
    lost = after.serial.lost;
    return result;
  };
  try {
    const device = await Device.boot(world, live, scenario, board);
    await device.idle();
    await device.settle();
    const idle = await device.mark('idle');
    const bringUp = line('bring-up', undefined, device.peaks(STARTING, idle));
    const start = { marks: device.marks, idle, census: await device.census('idle') };
    if (live !== 'never') device.live(true);
    const before = await device.mark('before');
    const after = await device.run(scenario, world);
    const { profileBytes } = scenario;
    const own = line(scenario.name, before, after);
    const measured = { line: profileBytes ? { ...own, profileBytes } : own, bringUp, start };
    await device.end();
    return measured;
  } finally {
    await world.close();
  }
}
