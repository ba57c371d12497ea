import type { IpaState } from '../../ipa/events.js';
import type { Ipad } from '../../ipa/ipad.js';
import { resetMemory, switchLocally } from '../../ipa/procedures/index.js';
import type { DeviceOperation, Section } from '../xs/index.js';

/** What a story needs of an IPA, wherever it runs: Ipad on this computer, XsIpa on a device's engine. Its events are on the trace. */
export interface Ipa {
  readonly state: IpaState;
  /** Asks for a poll of every eIM as soon as possible. */
  poll(): void;
  /** Provides an EimConfigurationData (`30 …`) for an eUICC without an eIM. */
  associate(initialEim: Uint8Array): void;
  /**
   * What the device's own program wants of the eUICC.
   * @returns the eUICC's result, 0 when it was done
   */
  perform(operation: DeviceOperation): Promise<number>;
  /** Ends a section of what is measured. @returns undefined where memory is not */
  mark(): Promise<Section | undefined>;
  /** Resolves when it has stopped. */
  run(): Promise<void>;
  stop(): void;
}

/** The IPA on Node, as a story sees it. */
export class NodeIpa implements Ipa {
  readonly #ipad: Ipad;

  constructor(ipad: Ipad) {
    this.#ipad = ipad;
  }

  get state(): IpaState {
    return this.#ipad.state;
  }

  poll(): void {
    this.#ipad.poll();
  }

  associate(initialEim: Uint8Array): void {
    this.#ipad.associate(initialEim);
  }

  perform(operation: DeviceOperation): Promise<number> {
    return this.#ipad.perform(async (context) => {
      if (operation.op !== 'resetMemory') return switchLocally(context, operation.op);
      const { profiles, eimConfiguration, immediateEnable } = await resetMemory(context, operation.options);
      return Math.max(profiles, eimConfiguration, immediateEnable);
    });
  }

  mark(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  run(): Promise<void> {
    return this.#ipad.run();
  }

  stop(): void {
    this.#ipad.stop();
  }
}
