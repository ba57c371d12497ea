import {
  Asn1Error,
  ConfigureIsdpRequest,
  concat,
  decode,
  InitialiseSecureChannelRequest,
  readElement,
  type StoreMetadataRequest,
} from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import { verify } from '../pki/index.js';
import {
  boundProfilePackageTag,
  configureIsdpTag,
  deriveSessionKeys,
  installBoundProfilePackage,
  keyLength,
  keyType,
  profileElementsTag,
  RspError,
  readReplaceSessionKeys,
  replaceSessionKeysTag,
  SegmentOpener,
  type SegmentTag,
  smdpSignInput,
  storeMetadataTag,
} from '../rsp/index.js';
import type { Command } from './context.js';
import { freeMemory, type Installer, install, reportFailed, reportInstalled } from './install.js';
import { type BppCommand, LoadFailure } from './load-failure.js';
import { checkedMetadata } from './metadata.js';
import { endSession } from './session.js';
import type { Profile } from './state.js';

interface Sequence {
  readonly bppCommandId: BppCommand;
  readonly segmentTag: SegmentTag;
  /** The first segment comes in one STORE DATA chain with tag and length of the sequence, not in the next one. */
  readonly together: boolean;
  /** What may come after it. */
  readonly next: readonly number[];
}

const sequences: Readonly<Record<number, Sequence>> = {
  [configureIsdpTag]: { bppCommandId: 1, segmentTag: 0x87, together: true, next: [storeMetadataTag] },
  [storeMetadataTag]: {
    bppCommandId: 2,
    segmentTag: 0x88,
    together: false,
    next: [replaceSessionKeysTag, profileElementsTag],
  },
  [replaceSessionKeysTag]: { bppCommandId: 4, segmentTag: 0x87, together: true, next: [profileElementsTag] },
  [profileElementsTag]: { bppCommandId: 5, segmentTag: 0x86, together: false, next: [] },
};

/** A Bound Profile Package that arrives chain by chain (SGP.22 §2.5.5; procedures.md §5). */
export class ProfileLoader {
  readonly #opener: SegmentOpener;
  /** Bytes of the package that are still to come. */
  #left: number;
  #expected: readonly number[] = [configureIsdpTag];
  #open: { tag: number; left: number; plain: Uint8Array[]; bytes: number } | undefined;
  #reached: BppCommand = 0;
  #metadata: StoreMetadataRequest | undefined;

  private constructor(opener: SegmentOpener, left: number) {
    this.#opener = opener;
    this.#left = left;
  }

  /**
   * The first chain: tag and length of BF36, and BF23 whole.
   * @throws LoadFailure
   */
  static begin(command: Command, chain: Uint8Array): ProfileLoader {
    const { server, prepared } = command.session;
    if (!server || !prepared) throw new LoadFailure(0, 1);
    const head = headOf(chain);
    if (head?.tag !== boundProfilePackageTag) throw new LoadFailure(0, 1);
    const { opener, bytes } = initialise(command, chain.subarray(head.bytes), server, prepared);
    if (bytes > head.length) throw new LoadFailure(0, 1);
    return new ProfileLoader(opener, head.length - bytes);
  }

  /** How far it has come; for the report of an interruption. */
  get bppCommandId(): BppCommand {
    return this.#reached;
  }

  /**
   * Any later chain.
   * @returns the profile when it is installed
   * @throws LoadFailure
   */
  take(command: Command, chain: Uint8Array): Profile | undefined {
    const segment = this.#open ? chain : this.#begin(chain);
    const { tag } = this.#open!;
    const sequence = sequences[tag];
    if (segment.length > 0) this.#segment(command, sequence, segment);
    if (this.#open!.left > 0) return undefined;
    const content = concat(this.#open!.plain);
    this.#open = undefined;
    this.#expected = sequence.next;
    return this.#complete(command, tag, content);
  }

  /** Tag and length of a sequence. @returns the segment that came with them */
  #begin(chain: Uint8Array): Uint8Array {
    const bppCommandId = sequences[this.#expected.at(-1)!].bppCommandId;
    const head = headOf(chain);
    if (!head || !this.#expected.includes(head.tag)) throw new LoadFailure(bppCommandId, 7);
    const { next, together } = sequences[head.tag];
    const rest = chain.subarray(head.bytes);
    const after = this.#left - head.bytes - head.length;
    const wrong = after < 0 || (next.length === 0 && after !== 0) || together !== rest.length > 0;
    if (wrong) throw new LoadFailure(sequences[head.tag].bppCommandId, 7);
    this.#left = after;
    this.#reached = sequences[head.tag].bppCommandId;
    this.#open = { tag: head.tag, left: head.length, plain: [], bytes: 0 };
    return rest;
  }

  #segment(command: Command, { segmentTag, bppCommandId }: Sequence, segment: Uint8Array): void {
    const open = this.#open!;
    if (segment.length > open.left) throw new LoadFailure(bppCommandId, 7);
    try {
      const plain = this.#opener.open(segmentTag, segment);
      open.plain.push(plain);
      open.bytes += plain.length;
      open.left -= segment.length;
    } catch (error) {
      if (!(error instanceof RspError)) throw error;
      throw new LoadFailure(bppCommandId, error.code === 'security' ? 8 : 7);
    }
    if (bppCommandId === 5 && open.bytes > freeMemory(command)) throw new LoadFailure(5, 10);
  }

  #complete(command: Command, tag: number, content: Uint8Array): Profile | undefined {
    switch (tag) {
      case configureIsdpTag:
        readConfigureIsdp(content);
        return undefined;
      case storeMetadataTag:
        this.#metadata = checkedMetadata(command, content);
        return undefined;
      case replaceSessionKeysTag:
        try {
          this.#opener.replaceSessionKeys(readReplaceSessionKeys(content));
        } catch (error) {
          if (!(error instanceof RspError)) throw error;
          throw new LoadFailure(4, 7);
        }
        return undefined;
      default:
        return install(command, this.#metadata!, content);
    }
  }

  /** ICCID of the profile, once its metadata were there. */
  get iccid(): Uint8Array | undefined {
    return this.#metadata?.iccid;
  }
}

/** InitialiseSecureChannel (SGP.22 §5.5.1): signature, transaction, operation, key agreement. */
function initialise(
  { card }: Command,
  bytes: Uint8Array,
  server: { transactionId: Uint8Array },
  prepared: { bindingKey: Uint8Array; oneTimeKey: { privateKey: Uint8Array; publicKey: Uint8Array } },
): { opener: SegmentOpener; bytes: number } {
  const { bindingKey, oneTimeKey } = prepared;
  try {
    const request = decode(InitialiseSecureChannelRequest, bytes);
    const fields = readElement(bytes).children.filter(({ tag }) => tag !== 0x5f37);
    const input = smdpSignInput(
      fields.map((field) => field.bytes),
      oneTimeKey.publicKey,
    );
    if (!verify(bindingKey, request.smdpSign, input)) throw new LoadFailure(0, 2);
    if (!sameBytes(request.transactionId, server.transactionId)) throw new LoadFailure(0, 3);
    if (request.remoteOpId !== installBoundProfilePackage) throw new LoadFailure(0, 5);
    const { keyType: type, keyLen, hostId } = request.controlRefTemplate;
    if (type[0] !== keyType || keyLen[0] !== keyLength) throw new LoadFailure(0, 4);
    const { privateKey } = oneTimeKey;
    const { eid } = card.credentials;
    const keys = deriveSessionKeys({ privateKey, publicKey: request.smdpOtpk, hostId, eid });
    return { opener: new SegmentOpener(keys), bytes: bytes.length };
  } catch (error) {
    if (error instanceof Asn1Error || error instanceof RspError) throw new LoadFailure(0, 1);
    throw error;
  }
}

function readConfigureIsdp(content: Uint8Array): void {
  try {
    const { dpProprietaryData } = decode(ConfigureIsdpRequest, content);
    if (dpProprietaryData && content.length > 128 + 8) throw new LoadFailure(1, 1);
  } catch (error) {
    if (error instanceof Asn1Error) throw new LoadFailure(1, 1);
    throw error;
  }
}

/** Tag and length in front of `chain`; undefined when there is no such thing. */
function headOf(chain: Uint8Array): { tag: number; length: number; bytes: number } | undefined {
  const [first = 0] = chain;
  const tagBytes = (first & 0x1f) === 0x1f ? 2 : 1;
  const tag = tagBytes === 2 ? (first << 8) | (chain[1] ?? 0) : first;
  const short = chain[tagBytes];
  if (short === undefined) return undefined;
  if (short < 0x80) return { tag, length: short, bytes: tagBytes + 1 };
  const lengthBytes = short & 0x7f;
  const bytes = tagBytes + 1 + lengthBytes;
  if (lengthBytes < 1 || lengthBytes > 3 || bytes > chain.length) return undefined;
  let length = 0;
  for (const byte of chain.subarray(tagBytes + 1, bytes)) length = (length << 8) | byte;
  // Lengths are as short as can be: a longer form would move the bytes that the sums are made of.
  if (length < 0x80 || length >> (8 * (lengthBytes - 1)) === 0) return undefined;
  return { tag, length, bytes };
}

/** Any chain of a Bound Profile Package may begin with these once its first one was taken. */
export const segmentTags: readonly number[] = [
  configureIsdpTag,
  storeMetadataTag,
  replaceSessionKeysTag,
  profileElementsTag,
  0x86,
  0x87,
  0x88,
];

/**
 * One chain of LoadBoundProfilePackage (SGP.22 §5.7.6).
 * @returns nothing, or the ProfileInstallationResult at the end and at the first error; 6985 outside of a session
 */
export function loadBoundProfilePackage(command: Command, chain: Uint8Array): Uint8Array | number {
  const { session, state } = command;
  const { server } = session;
  if (!server || !session.prepared) return 0x6985;
  const installer: Installer = {
    transactionId: server.transactionId,
    smdpOid: server.oid,
    smdpAddress: server.serverAddress,
  };
  const { loading } = session;
  try {
    const loader = loading ?? ProfileLoader.begin(command, chain);
    const profile = loading?.take(command, chain);
    if (profile) {
      const result = reportInstalled(command, installer, profile);
      endSession(session);
      const { smdpOid, smdpAddress } = installer;
      session.installed = { iccid: profile.iccid, smdpOid, smdpAddress };
      return result;
    }
    session.loading = loader;
    const { bppCommandId, iccid } = loader;
    // Durable once per command, so that after a cut the interruption can be told of.
    if (state.installing?.bppCommandId !== bppCommandId) {
      state.installing = { ...installer, bppCommandId, iccid };
      command.changed = true;
    }
    return new Uint8Array(0);
  } catch (error) {
    if (!(error instanceof LoadFailure)) throw error;
    const { bppCommandId, errorReason, iccid = loading?.iccid } = error;
    const result = reportFailed(command, installer, new LoadFailure(bppCommandId, errorReason, iccid));
    endSession(session);
    return result;
  }
}
