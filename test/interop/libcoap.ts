import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UdpConfiguration } from '../../hal/contracts/index.js';
import { type DtlsExpectation, type DtlsPsk, dtlsUdp } from '../../hal/node/dtls/index.js';
import { nodeTimer } from '../../hal/node/timer.js';
import { NodeUdp } from '../../hal/node/udp.js';
import { RealClock } from '../../host-sim/clock.js';
import { CoapEim, CoapsDoor, type CoapsDoorOptions, Eim } from '../../host-sim/eim/index.js';
import { makePki, type Pki } from '../../host-sim/pki/index.js';
import { seeded } from '../../host-sim/random.js';
import { MemoryStore } from '../../host-sim/store.js';
import { CoapLink, defaultCoapTimes } from '../../ipa/esipa/coap/index.js';
import type { IpaEvent } from '../../ipa/events.js';
import { Program } from '../program.js';

export const EID = '89049032123451234512345678901235';
export const poll = Buffer.from(`bf4f125a10${EID}`, 'hex');

export function testPki(): Promise<Pki> {
  const eims = [{ eimId: 'eim.example.com', eimIdType: 2, eimFqdn: 'eim.example.com' }] as const;
  return makePki({ eid: EID, eims, now: Date.now(), random: seeded(1) });
}

/** DTLS for a link, with little patience. */
export function secured(peer: DtlsPsk | DtlsExpectation): UdpConfiguration {
  return dtlsUdp({ udp: { io: NodeUdp }, peer, timer: nodeTimer, flight: 300, attempts: 3 });
}

/** What of ours meets libcoap's programs, those programs, and what is to be cleared away after a test. */
export class LibcoapScene {
  readonly #open: (() => unknown)[] = [];

  async close(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) await close();
  }

  folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'xs-ipa-coap-'));
    this.#open.push(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  /** Its path, with that content. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder(), name);
    writeFileSync(path, content);
    return path;
  }

  start(command: string, ...parameters: string[]): Program {
    const program = new Program(command, parameters);
    this.#open.push(() => program.stop());
    return program;
  }

  async post(client: string, url: string, body: Uint8Array, ...options: string[]) {
    const sent = this.file('sent', body);
    const received = join(this.folder(), 'received');
    const program = this.start(client, '-B', '10', '-m', 'post', '-f', sent, '-o', received, ...options, url);
    await program.ended();
    try {
      return { answer: readFileSync(received), lines: program.lines };
    } catch {
      return { answer: undefined, lines: program.lines };
    }
  }

  /** Our eIM, in plain and behind DTLS. */
  async serve(pki: Pki, security: Pick<CoapsDoorOptions, 'psk' | 'certificate'>) {
    const eim = new Eim({
      credentials: pki.eims[0],
      ciCertificates: pki.ciCertificates,
      store: new MemoryStore(),
      clock: new RealClock(),
      random: seeded(3),
    });
    const coap = new CoapEim({ eim, port: 0 });
    await coap.open();
    this.#open.push(() => coap.close());
    const problems: string[] = [];
    const door = new CoapsDoor({
      port: 0,
      coapPort: coap.port,
      ...security,
      onProblem: ({ message }) => problems.push(message),
    });
    await door.open();
    this.#open.push(() => door.close());
    return {
      eim,
      problems,
      plain: `coap://127.0.0.1:${coap.port}/gsma/rsp2/asn1`,
      secure: `coaps://127.0.0.1:${door.port}/gsma/rsp2/asn1`,
    };
  }

  /**
   * libcoap's server: keeps what is put to it, and gives back what is posted.
   * @param client of libcoap without security, for the resource
   * @returns its port; the next one has DTLS
   */
  async serveLibcoap(server: string, client: string, ...options: string[]): Promise<number> {
    const port = await freePort();
    const own = ['-A', '127.0.0.1', '-p', `${port}`, '-d', '10', '-e', '-v', '7'];
    await this.start(server, ...own, ...options).line(/created DTLS/);
    const put = ['-B', '10', '-m', 'put', '-f', this.file('body', 'x')];
    await this.start(client, ...put, `coap://127.0.0.1:${port}/gsma/rsp2/asn1`).ended();
    return port;
  }

  link(port: number, udp: UdpConfiguration, blockSize = 1_024) {
    const events: IpaEvent[] = [];
    const lost: (() => void)[] = [];
    const link = new CoapLink({
      eimId: 'eim',
      udp,
      host: '127.0.0.1',
      port,
      timer: nodeTimer,
      random: Math.random,
      blockSize,
      coapTimes: { ...defaultCoapTimes(), acknowledge: 1_000 },
      observe: (event) => {
        events.push(event);
        if (event.event === 'link' && event.state === 'lost') for (const tell of lost.splice(0)) tell();
      },
    });
    this.#open.push(() => link.close());
    link.resume();
    /** What the link says of a server that it refuses, or that refuses it. */
    const refusal = async () => {
      const isLost = new Promise<void>((resolve) => lost.push(resolve));
      link.exchange(poll, () => true).catch(() => {});
      await isLost;
      const event = events.find((one) => one.event === 'link' && one.state === 'lost');
      const isHeard = events.some((one) => one.event === 'esipa' && one.direction === 'down');
      return { detail: event?.event === 'link' ? event.detail : undefined, isHeard };
    };
    return { link, refusal };
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
