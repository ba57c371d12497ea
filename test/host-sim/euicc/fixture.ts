import { p256 } from '@noble/curves/nist.js';
import {
  AddInitialEimRequest,
  concat,
  decode,
  type Eco,
  type EimConfigurationData,
  EuiccPackageRequest,
  EuiccPackageResult,
  EuiccPackageSigned,
  type EuiccResultData,
  encode,
  hex,
  type Infer,
  iccidBytes,
  type Psmo,
  tokenDo,
  toSign,
  unhex,
} from '../../../host-sim/asn1/index.js';
import { VirtualClock } from '../../../host-sim/clock.js';
import { type ProfileSeed, VirtualEuicc, type VirtualEuiccOptions } from '../../../host-sim/euicc/index.js';
import type { SimEvent } from '../../../host-sim/events.js';
import { MemoryStore } from '../../../host-sim/store.js';
import * as v from '../asn1/vectors.js';

const certificate = unhex('300A30030201013003020102');

export const credentials = {
  eid: v.eid,
  privateKey: v.euiccPrivateKey,
  certificate,
  eumCertificate: unhex('300A30030201033003020104'),
  ciKeyId: unhex('F54172BDF98A95D65CBEB88A38A1C11D800A85C3'),
};

export const spkiHead = unhex('3059301306072A8648CE3D020106082A8648CE3D030107034200');
export const spkiOf = (privateKey: Uint8Array) => concat([spkiHead, p256.getPublicKey(privateKey, false)]);

/** The ICCID of the vectors, and three more. */
export const A = '89000123456789012341';
export const B = '8900000000000000011';
export const C = '8900000000000000029';
export const D = '8900000000000000037';
const all = [
  'notificationInstall',
  'notificationEnable',
  'notificationDisable',
  'notificationDelete',
] as const;

export const seeds: ProfileSeed[] = [
  { iccid: A, imsi: '262011234567890', profileName: 'A', serviceProviderName: 'SP' },
  {
    iccid: B,
    imsi: '310260000000001',
    enabled: true,
    profileName: 'B',
    notifications: [{ events: all, address: 'dp.example.com' }],
  },
  {
    iccid: C,
    imsi: '00101000000001',
    profileName: 'C',
    fallbackAllowed: true,
    notifications: [{ events: ['notificationEnable'], address: 'c.example.com' }],
  },
  { iccid: D, imsi: '001010000000002', profileName: 'D', profilePolicyRules: ['ppr2'] },
];

export function sw(answer: Uint8Array): number {
  return (answer[answer.length - 2] << 8) | answer[answer.length - 1];
}

export class CardDriver {
  readonly store: MemoryStore;
  readonly events: SimEvent[] = [];
  card: VirtualEuicc;
  readonly #options: Partial<VirtualEuiccOptions>;
  channel = 0;
  /** Status word of the last exchange. */
  lastSw = 0;

  constructor(options: Partial<VirtualEuiccOptions> & { store?: MemoryStore } = {}) {
    this.store = options.store ?? new MemoryStore();
    this.#options = options;
    this.card = this.make();
  }

  make(): VirtualEuicc {
    return new VirtualEuicc({
      credentials,
      clock: new VirtualClock(),
      random: () => 0.5,
      profiles: seeds,
      observe: (event) => this.events.push(event),
      ...this.#options,
      store: this.store,
    });
  }

  send(text: string): string {
    return hex(this.card.transmit(unhex(text)));
  }

  /** Power off and on, as a new object on the same store. */
  restart(): void {
    this.card = this.make();
    this.card.reset();
  }

  bringUp(toolkit = true): void {
    if (toolkit) this.expect('8010000004FFFFFFFF', '9000');
    this.expect('80AA000005A903840101', '9000');
    const opened = this.card.transmit(unhex('0070000001'));
    if (sw(opened) !== 0x9000) throw new Error(`MANAGE CHANNEL: ${hex(opened)}`);
    this.channel = opened[0];
    const answer = this.card.transmit(
      concat([Uint8Array.of(this.cla(0), 0xa4, 0x04, 0x00, 0x10), unhex('A0000005591010FFFFFFFF8900000100')]),
    );
    if (answer[0] !== 0x61) throw new Error(`SELECT: ${hex(answer)}`);
  }

  expect(command: string, answer: string): void {
    const got = this.send(command);
    if (got !== answer) throw new Error(`${command} gave ${got} instead of ${answer}`);
  }

  cla(base: number): number {
    return this.channel < 4 ? base | this.channel : base | 0x40 | (this.channel - 4);
  }

  /** One ES10 command with its blocks and GET RESPONSEs; throws at status words that are not success. */
  es10(command: Uint8Array, block = 120): Uint8Array {
    let answer: Uint8Array = new Uint8Array(2);
    for (let at = 0, number = 0; at < command.length; at += block, number++) {
      const data = command.subarray(at, at + block);
      const p1 = at + block >= command.length ? 0x91 : 0x11;
      answer = this.card.transmit(
        concat([Uint8Array.of(this.cla(0x80), 0xe2, p1, number, data.length), data]),
      );
      if (p1 === 0x11 && sw(answer) !== 0x9000 && sw(answer) >> 8 !== 0x91)
        throw new Error(`block ${number}: ${hex(answer)}`);
    }
    const parts: Uint8Array[] = [];
    while (answer[answer.length - 2] === 0x61) {
      parts.push(answer.subarray(0, answer.length - 2));
      answer = this.card.transmit(Uint8Array.of(this.cla(0), 0xc0, 0, 0, answer[answer.length - 1]));
    }
    parts.push(answer.subarray(0, answer.length - 2));
    this.lastSw = sw(answer);
    if (this.lastSw !== 0x9000 && this.lastSw >> 8 !== 0x91)
      throw new Error(`status word ${hex(answer.subarray(-2))}`);
    return concat(parts);
  }

  /** The status word of one ES10 command. */
  es10Sw(text: string): number {
    const data = unhex(text);
    const answer = this.card.transmit(
      concat([Uint8Array.of(this.cla(0x80), 0xe2, 0x91, 0, data.length), data]),
    );
    return sw(answer);
  }

  addInitialEim(eim: EimConfigurationData): void {
    const answer = this.es10(encode(AddInitialEimRequest, { eimConfigurationDataList: [eim] }));
    if (hex(answer).startsWith('BF570381')) throw new Error(`AddInitialEim: ${hex(answer)}`);
  }
}

export const eimConfiguration = (more: Partial<EimConfigurationData> = {}): EimConfigurationData => ({
  eimId: v.eimId,
  eimFqdn: v.eimId,
  eimIdType: 2,
  counterValue: 0,
  eimPublicKeyData: { eimPublicKey: spkiOf(v.eimPrivateKey) },
  ...more,
});

/** A card with one eIM, brought up. */
export function associated(
  options: ConstructorParameters<typeof CardDriver>[0] = {},
  eim: Partial<EimConfigurationData> = {},
) {
  const driver = new CardDriver(options);
  driver.bringUp();
  driver.addInitialEim(eimConfiguration(eim));
  return driver;
}

export interface PackageParts {
  eimId?: string;
  eid?: Uint8Array;
  counterValue: number;
  token?: number;
  key?: Uint8Array;
}

export function packageOf(list: { psmo?: Psmo[]; eco?: Eco[] }, parts: PackageParts): Uint8Array {
  const euiccPackageSigned = toSign(EuiccPackageSigned, {
    eimId: parts.eimId ?? v.eimId,
    eidValue: parts.eid ?? v.eid,
    counterValue: parts.counterValue,
    eimTransactionId: v.txid,
    euiccPackage: list.psmo ? { psmoList: list.psmo } : { ecoList: list.eco ?? [] },
  });
  return encode(EuiccPackageRequest, {
    euiccPackageSigned,
    eimSignature: p256.sign(
      concat([euiccPackageSigned.bytes, tokenDo(parts.token)]),
      parts.key ?? v.eimPrivateKey,
      {
        lowS: false,
      },
    ),
  });
}

export const euiccPublicKey = p256.getPublicKey(v.euiccPrivateKey, false);

/** Results of a package, after the signature is verified. */
export function resultsOf(answer: Uint8Array, token?: number): EuiccResultData[] {
  const { euiccPackageResultSigned: signed } = decode(EuiccPackageResult, answer);
  if (!signed) throw new Error(`no signed result: ${hex(answer)}`);
  const { bytes, value } = signed.euiccPackageResultDataSigned;
  if (!p256.verify(signed.euiccSignEPR, concat([bytes, tokenDo(token)]), euiccPublicKey, { lowS: false })) {
    throw new Error('the signature of the result does not verify');
  }
  return value.euiccResult;
}

export type Answer = Infer<typeof EuiccPackageResult>;
export { iccidBytes };
