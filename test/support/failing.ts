import { expect } from 'vitest';
import type { DownloadTrigger } from '../../host-sim/eim/index.js';
import type { OrderOptions } from '../../host-sim/smdp/index.js';
import { SMDP, World, type WorldOptions } from './world.js';

/** What a download that fails leaves behind, for the eIM, the SM-DP+, the eUICC and the log. */
export interface Failed {
  /** What the eIM's operator is told. */
  outcome: Awaited<ReturnType<World['order']>>;
  /** CancelSessionReasons that the eUICC signed. */
  cancelled: unknown[];
  /** What the SM-DP+ was told of a cancelled session. */
  cancelledAtServer: unknown[];
  /** Status codes the SM-DP+ gave, as "function subject/reason". */
  refused: string[];
  /** Failure events: "where: detail". */
  failures: string[];
  /** First tags of what went to the eIM. */
  sent: string[];
  /** Events of this download. */
  since: number;
}

/** Digits with check digit left out: any 18 digits will do for ICCIDs of a test. */
const FIRST_ICCID = 8988211000001000000n;

/**
 * One world for a whole table of failures: each has to leave it as it was, and the next download has to work in it.
 */
export class FailingDownloads {
  readonly world: World;
  #iccid = FIRST_ICCID;

  private constructor(world: World) {
    this.world = world;
  }

  static async make(options: WorldOptions = {}): Promise<FailingDownloads> {
    return new FailingDownloads(await World.idle(options));
  }

  nextIccid(): string {
    return String(this.#iccid++);
  }

  /** Nothing is under way, stored or undelivered. */
  async settled(): Promise<void> {
    const { world } = this;
    await world.until(
      () =>
        world.euicc.results.length + world.euicc.notifications.length === 0 &&
        world.ipad.state === 'idle' &&
        world.storage.read('download') === undefined &&
        world.storage.read('directResults') === undefined,
      'everything delivered',
    );
  }

  /**
   * A download that has to fail.
   * @param before, after are called around it
   */
  async fail(
    order: OrderOptions = {},
    { trigger, before, after }: { trigger?: DownloadTrigger; before?: () => void; after?: () => void } = {},
  ): Promise<Failed> {
    const { world } = this;
    const profiles = structuredClone(world.euicc.profiles);
    const { matchingId } = world.smdp.order({ iccid: this.nextIccid(), profileSize: 1_500, ...order });
    const since = world.events.length;
    before?.();
    const outcome = await world.order({
      download: trigger ?? { activationCode: `1$${SMDP}$${matchingId}` },
    });
    after?.();
    await this.settled();
    expect(world.euicc.profiles).toEqual(profiles);
    return {
      outcome,
      cancelled: this.details('card', 'sessionCancelled', since).map(({ reason }) => reason),
      cancelledAtServer: this.details('smdp', 'cancelled', since).map(({ reason }) => reason),
      refused: this.details('smdp', 'refused', since).map((detail) => `${detail.function} ${detail.status}`),
      failures: world.of('failure', since).map(({ where, detail }) => `${where}: ${detail}`),
      sent: world.sent(since),
      since,
    };
  }

  details(event: 'card' | 'smdp' | 'eim', what: string, since: number): Record<string, unknown>[] {
    return this.world
      .of(event, since)
      .filter((one) => one.what === what)
      .map(({ detail }) => detail ?? {});
  }

  /** The next one, which has to work. */
  async succeed(order: OrderOptions = {}): Promise<void> {
    const { world } = this;
    const before = world.euicc.profiles.length;
    const { matchingId } = world.smdp.order({ iccid: this.nextIccid(), profileSize: 1_500, ...order });
    const since = world.events.length;
    const outcome = await world.order({ download: { activationCode: `1$${SMDP}$${matchingId}` } });
    await this.settled();
    expect(outcome).toMatchObject({ outcome: 'downloaded', ok: true });
    expect(world.euicc.profiles).toHaveLength(before + 1);
    expect(world.of('failure', since)).toEqual([]);
  }
}
