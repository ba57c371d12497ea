import type { Command } from 'commander';
import { MemoryKeyValue } from '../../hal/node/storage.js';
import type { Ipad } from '../../ipa/ipad.js';
import { hex } from '../asn1/index.js';
import { RealClock } from '../clock.js';
import { Broker, Eim, MqttEim, type Order, type Outcome, type QueueOptions } from '../eim/index.js';
import type { VirtualEuicc } from '../euicc/index.js';
import type { TraceEvent } from '../events.js';
import type { SimulatedModem } from '../modem/index.js';
import { makePki } from '../pki/index.js';
import { seeded } from '../random.js';
import { MemoryStore } from '../store.js';
import { Figures, Trace } from '../trace/index.js';
import type { Output, OutputOptions } from './output.js';
import { createIpad, factoryProfiles, operators, simulateModem } from './world.js';

interface DemoOptions extends OutputOptions {
  broker?: string;
  personality?: string;
  baud: string;
  seed: string;
  speed: string;
}

const EID = '89049032123451234512345678901235';
const MAIN = 'eim.example.com';
const BACKUP = 'backup-eim.example.com';
/** Nothing in the demo takes longer; what does has failed. */
const PATIENCE = 60_000;

export function registerDemo(program: Command, output: (options: OutputOptions) => Output): void {
  program
    .command('demo')
    .description(
      "one device's life: association, profile switch, eIM packages, attacks; real signatures at every joint",
    )
    .option(
      '--broker <url>',
      'use this MQTT broker instead of an embedded one, for example mqtt://127.0.0.1:1883',
    )
    .option('--personality <name>', 'kind of simulated modem (see `xs-ipa modem --help`)', 'generic')
    .option('--baud <rate>', 'speed of the serial line between IPA and modem; 0 = no pacing', '115200')
    .option('--seed <number>', 'same seed, same keys, transactions and timings', '1')
    .option('--speed <factor>', 'how much faster than real time the simulation runs', '1')
    .option('--json', 'one JSON object per event (docs/events.md)')
    .option('-v, --verbose', 'AT lines and all bytes, too')
    .option('-q, --quiet', 'steps and the summary only')
    .action(async (options: DemoOptions) => {
      const demo = new Demo(options, output(options));
      process.exitCode = (await demo.run()) ? 0 : 1;
    });
}

/** One device, its eIM and a second eIM, from the factory to a changed operator. */
class Demo {
  readonly #options: DemoOptions;
  readonly #output: Output;
  readonly #clock: RealClock;
  readonly #random: () => number;
  readonly #trace: Trace;
  readonly #figures = new Figures();
  readonly #failures: string[] = [];
  #eim!: Eim;
  #ipad!: Ipad;
  #euicc!: VirtualEuicc;
  #refusedAsExpected = 0;

  constructor(options: DemoOptions, output: Output) {
    this.#options = options;
    this.#output = output;
    this.#clock = new RealClock(Number(options.speed));
    this.#random = seeded(Number(options.seed));
    this.#trace = new Trace(this.#clock);
    this.#trace.subscribe((event) => this.#figures.take(event));
    this.#trace.subscribe((event) => output.event(event));
  }

  /** @returns whether everything that was queued is verified and acknowledged, and every attack was refused */
  async run(): Promise<boolean> {
    const { broker: brokerUrl, personality, baud } = this.#options;
    const clock = this.#clock;
    const random = this.#random;
    const trace = this.#trace;
    const broker = brokerUrl ? undefined : await new Broker({ observe: trace.observer('broker') }).listen();
    const url = brokerUrl ?? broker!.url;
    const pki = await makePki({
      eid: EID,
      eims: [
        { eimId: MAIN, eimIdType: 2, eimFqdn: MAIN },
        { eimId: BACKUP, eimIdType: 2, eimFqdn: BACKUP },
      ],
      now: clock.now,
      random,
    });
    const eim = (index: number, who: string) =>
      new Eim({
        credentials: pki.eims[index],
        ciCertificates: pki.ciCertificates,
        store: new MemoryStore(),
        clock,
        random,
        observe: trace.observer(who),
      });
    this.#eim = eim(0, 'eim');
    const backup = eim(1, 'eim 2');
    const mainLink = new MqttEim({ eim: this.#eim, url });
    const backupTopics = { toEim: 'esipa-backup/{eid}/eim', toIpa: 'esipa-backup/{eid}/ipa' };
    const backupLink = new MqttEim({ eim: backup, url, topics: backupTopics });
    await mainLink.open();
    await backupLink.open();

    const network = operators();
    const { euicc, modem, bearer } = simulateModem({
      pki,
      store: new MemoryStore(),
      clock,
      random,
      trace,
      network,
      personality,
      baud: Number(baud),
    });
    this.#euicc = euicc;
    this.#ipad = createIpad({
      serial: { io: modem.Serial, baud: Number(baud) },
      clock,
      random,
      trace,
      storage: new MemoryKeyValue(),
      broker: { url },
      prefixes: { [BACKUP]: 'esipa-backup' },
      bearer,
    });
    const running = this.#ipad.run();

    try {
      await this.#life(network, backup, pki.euicc.ciKeyId);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      this.#failures.push(error.message);
    } finally {
      this.#ipad.stop();
      await running;
      modem.powerOff();
      await mainLink.close();
      await backupLink.close();
      this.#eim.close();
      backup.close();
      await broker?.close();
    }
    return this.#summary(modem);
  }

  async #life(network: ReturnType<typeof operators>, backup: Eim, ciKeyId: Uint8Array): Promise<void> {
    const [alpha, beta, gamma] = factoryProfiles().map(({ iccid }) => iccid);

    this.#step(
      'From the factory',
      'The eUICC has three profiles and no eIM. The IPA brings the modem and the eUICC up.',
    );
    await this.#until(
      'the IPA finds no eIM',
      (event) => event.event === 'state' && event.state === 'unassociated',
    );

    this.#step(
      'Association',
      'AddInitialEim: the eUICC takes the eIM and makes an association token. Then the first poll.',
    );
    const idle = this.#until(
      'the first poll ends with nothing to do',
      (event) => event.event === 'state' && event.state === 'idle',
    );
    this.#ipad.associate(this.#eim.eimConfiguration({ eid: EID, token: true, euiccCiPKId: ciKeyId }));
    await idle;

    this.#step('A poll with nothing', 'The eIM has no package: one message each way, and no APDU.');
    await this.#poll();

    this.#step('Profile list');
    await this.#order({ psmo: [{ op: 'listProfileInfo' }] });

    this.#step(
      'Change of operator',
      'Enable Beta Cellular. The SIM resets, the network comes back, the result arrives through the new profile.',
    );
    await this.#order({ psmo: [{ op: 'enable', iccid: beta }] });
    const recorded = this.#eim.lastPackage(EID);

    this.#step('Fallback attribute', 'Gamma Roam becomes the Fallback Profile.');
    await this.#order({ psmo: [{ op: 'setFallbackAttribute', iccid: gamma }] });

    this.#step(
      'A second eIM',
      'addEim by the first one; its token goes to the second eIM, which then lists the profiles itself.',
    );
    const added = await this.#order({
      eco: [{ op: 'addEim', eim: hex(backup.eimConfiguration({ token: true, euiccCiPKId: ciKeyId })) }],
    });
    await this.#order({ eco: [{ op: 'listEim' }] });
    const token = added.outcome === 'verified' ? added.results[0]?.associationToken : undefined;
    backup.setToken(EID, token);
    await this.#order({ psmo: [{ op: 'listProfileInfo' }] }, {}, backup);

    this.#step('Data request', 'What the eIM may ask of eUICC and IPA without a signature.');
    await this.#order({
      data: {
        tags: ['euiccInfo1', 'defaultSmdpAddress', 'rootSmdsAddress', 'ipaCapabilities', 'deviceInfo'],
      },
    });

    this.#step(
      'Injection while the device is offline',
      'No coverage. The eIM pushes a package, the broker keeps it until the device is back; it changes the operator once more.',
    );
    const lost = this.#until('the link is lost', (event) => event.event === 'link' && event.state === 'lost');
    network.blackOut('99970');
    await lost;
    const sent = this.#until(
      'the eIM has published the package',
      (event) => event.event === 'eim' && event.what === 'sent',
    );
    const arrives = this.#order({ psmo: [{ op: 'enable', iccid: alpha }] }, { mode: 'injection' });
    await sent;
    network.allow('99970');
    await arrives;

    this.#step('The other eIM learns of it', 'Its next poll carries notifyStateChange with cause otherEim.');
    await this.#poll(BACKUP);

    this.#step(
      'A recorded package is played back',
      'The old enable of Beta, byte for byte, with its good signature.',
    );
    await this.#attack('replayError', this.#eim.probe(EID, recorded));

    this.#step('A forged package', "Signed with another key than the eIM's.");
    await this.#attack(
      'errorUnsigned',
      this.#eim.probe(EID, this.#eim.forge(EID, { psmo: [{ op: 'disable', iccid: alpha }] })),
    );

    this.#step('What is left', 'A last poll: nothing to fetch, nothing to deliver.');
    await this.#poll();
  }

  #step(title: string, detail?: string): void {
    this.#trace.emit('demo', { event: 'step', title, detail });
  }

  async #order(order: Order, options: QueueOptions = {}, eim = this.#eim): Promise<Outcome> {
    const outcome = eim.queue(EID, order, { ...options, timeoutMilliseconds: PATIENCE });
    if (options.mode !== 'injection') this.#ipad.poll();
    const result = await outcome;
    if (!result.ok) throw new StepFailed(`${JSON.stringify(order)} ended with ${JSON.stringify(result)}`);
    await this.#quiet();
    return result;
  }

  /** Everything is acknowledged and off the eUICC, and the IPA has nothing to do. */
  async #quiet(): Promise<void> {
    const quiet = () =>
      this.#ipad.state === 'idle' &&
      this.#euicc.results.length === 0 &&
      this.#euicc.notifications.length === 0;
    // The state changes before the event is told, so that looking first misses nothing.
    if (!quiet()) await this.#until('the acknowledgement is carried out', quiet);
  }

  async #poll(eimId = MAIN): Promise<void> {
    const answered = this.#until(
      `${eimId} answers the poll`,
      (event) => event.event === 'esipa' && event.direction === 'down' && event.eimId === eimId,
    );
    const idle = this.#until('the IPA is idle', (event) => event.event === 'state' && event.state === 'idle');
    this.#ipad.poll();
    await answered;
    await idle;
  }

  async #attack(expected: string, outcome: Promise<Outcome>): Promise<void> {
    const idle = this.#until('the IPA is idle', (event) => event.event === 'state' && event.state === 'idle');
    const result = await Promise.race([outcome, this.#timeout('the device answers')]);
    if (result.outcome === 'refused' && result.name === expected) this.#refusedAsExpected++;
    else throw new StepFailed(`expected a refusal with ${expected}, got ${JSON.stringify(result)}`);
    await idle;
  }

  /** Resolves with the next event that fits. */
  #until(what: string, fits: (event: TraceEvent) => boolean): Promise<void> {
    const happened = new Promise<void>((resolve, reject) => {
      const timer = this.#clock.set(() => {
        stop();
        reject(new StepFailed(`waited ${PATIENCE / 1000} s in vain until ${what}`));
      }, PATIENCE);
      const stop = this.#trace.subscribe((event) => {
        if (!fits(event)) return;
        stop();
        this.#clock.clear(timer);
        resolve();
      });
    });
    // Whoever asked for it looks at it later; until then a rejection is not unhandled.
    happened.catch(() => {});
    return happened;
  }

  #timeout(what: string): Promise<never> {
    return new Promise((_resolve, reject) => {
      const timer = setTimeout(
        () => reject(new StepFailed(`waited ${PATIENCE / 1000} s in vain until ${what}`)),
        PATIENCE,
      );
      timer.unref();
    });
  }

  #summary(modem: SimulatedModem): boolean {
    const figures = this.#figures;
    const left = this.#euicc.results.length + this.#euicc.notifications.length;
    if (left > 0) this.#failures.push(`${left} results or notifications are still on the eUICC`);
    const open = this.#eim
      .devices()
      .reduce((sum, device) => sum + device.waiting + Number(device.outstanding), 0);
    if (open > 0) this.#failures.push(`${open} orders are still open at the eIM`);
    const ok = this.#failures.length === 0;
    const summary = {
      ok,
      failures: this.#failures,
      packages: {
        queued: figures.queued,
        verified: figures.verified,
        answered: figures.answered,
        refused: figures.refused,
        refusedAsExpected: this.#refusedAsExpected,
        rejected: figures.rejected,
      },
      notifications: figures.notifications,
      profileSwitches: figures.profileSwitches,
      apdus: figures.apdus,
      uartBytes: { up: modem.uartBytes.up, down: modem.uartBytes.down },
      esipa: {
        messages: figures.messages,
        bytesUp: figures.bytesUp,
        bytesDown: figures.bytesDown,
        dropped: figures.dropped,
      },
      milliseconds: Math.round(figures.last),
    };
    this.#trace.emit('demo', { event: 'summary', ...summary });
    const { packages, uartBytes, esipa } = summary;
    const output = this.#output;
    output.line();
    output.line(ok ? '■ Everything that was queued is verified and acknowledged.' : '■ The demo failed:');
    for (const failure of this.#failures) output.line(`  ${failure}`);
    output.line();
    output.line(
      `  orders          ${packages.queued} queued, ${packages.verified} verified, ${packages.answered} answered, ${packages.refused} refused (${packages.refusedAsExpected} attacks)`,
    );
    output.line(
      `  notifications   ${summary.notifications} delivered, ${summary.profileSwitches} profile switches`,
    );
    output.line(
      `  eUICC           ${summary.apdus} APDUs, ${uartBytes.up} characters up and ${uartBytes.down} down the serial line`,
    );
    output.line(
      `  ESipa           ${esipa.messages} messages, ${esipa.bytesUp} B up and ${esipa.bytesDown} B down, ${esipa.dropped} dropped`,
    );
    output.line(`  time            ${(summary.milliseconds / 1000).toFixed(1)} s`);
    return ok;
  }
}

/** A step did not end as it must; the demo says so and exits with 1. */
class StepFailed extends Error {
  override readonly name = 'StepFailed';
}
