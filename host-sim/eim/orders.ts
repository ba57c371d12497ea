import {
  Asn1Error,
  decode,
  Eco,
  EimConfigurationData,
  EuiccPackageSigned,
  hex,
  IpaEuiccDataRequest,
  iccidBytes,
  type NotificationEventName,
  ProfileDownloadTriggerRequest,
  type ProtocolName,
  Psmo,
  unhex,
} from '../asn1/index.js';
import { EimError } from './error.js';

// Orders are plain JSON, so that they read well in tests and travel through the control interface. Bytes are hex.

/** SGP.32 §2.11.1.1.3 */
export type PsmoOrder =
  | { op: 'enable'; iccid: string; rollback?: boolean }
  | { op: 'disable' | 'delete' | 'setFallbackAttribute'; iccid: string }
  | {
      op: 'listProfileInfo';
      iccid?: string;
      profileClass?: 'test' | 'provisioning' | 'operational';
      tags?: readonly (number | string)[];
    }
  | { op: 'getRAT' | 'unsetFallbackAttribute' }
  /** Without `enable` the immediate enabling is switched off. */
  | { op: 'configureImmediateEnable'; enable?: boolean; smdpOid?: string; smdpAddress?: string }
  | { op: 'setDefaultDpAddress'; address: string };

/** SGP.32 §2.11.1.1.2 */
export type EcoOrder =
  | { op: 'addEim' | 'updateEim'; eim: EimConfiguration | string }
  | { op: 'deleteEim'; eimId: string }
  | { op: 'listEim' };

/** EimConfigurationData, SGP.32 §2.11.1.1.1; a string instead is its whole DER (30 …) in hex. */
export interface EimConfiguration {
  eimId: string;
  eimFqdn?: string;
  /** 1 OID, 2 FQDN, 3 proprietary. */
  eimIdType?: number;
  counterValue?: number;
  /** −1: the eUICC makes one. */
  associationToken?: number;
  /** SubjectPublicKeyInfo, or instead of it a certificate. */
  publicKey?: string;
  certificate?: string;
  tlsPublicKey?: string;
  tlsCertificate?: string;
  protocols?: readonly ProtocolName[];
  euiccCiPKId?: string;
  indirectProfileDownload?: boolean;
}

/** SGP.32 §2.11.1.2. Tags as numbers, as hex ("BF20") or by the names of {@link dataTags}. */
export interface DataOrder {
  tags: readonly (number | string)[];
  euiccCiPKId?: string;
  notifications?: { seqNumber: number } | { events: readonly NotificationEventName[] };
  results?: { seqNumber: number };
}

/**
 * SGP.32 §2.11.1.3. One of the first three says where the profile is; none of them: the eIM asks the SM-DS of the device,
 * or the IPA does.
 */
export interface DownloadTrigger {
  /** As SGP.22 §4.1 has it, with or without LPA: */
  activationCode?: string;
  /** From the default SM-DP+ of the eUICC. */
  defaultSmdp?: boolean;
  /** Address of an SM-DS; empty: the root SM-DS of the eUICC. */
  smds?: string;
  /**
   * 'indirect': through this eIM, which keeps the activation code if the IPA leaves that to it. 'direct': this eIM takes no
   * part. Absent: as the IPA does it.
   */
  way?: 'direct' | 'indirect';
  /** For an order at the SM-DP+ that asks for one; indirect downloads only. */
  confirmationCode?: string;
  /** Whether this eIM accepts profiles with policy rules where the IPA leaves that to it. Default true. */
  allowPolicyRules?: boolean;
}

/** What an eIM can ask of a device: one eUICC Package, one data request, or one profile download. */
export type Order =
  | { psmo: readonly PsmoOrder[] }
  | { eco: readonly EcoOrder[] }
  | { data: DataOrder }
  | { download: DownloadTrigger };

/** An order that becomes an eUICC Package. */
export type PackageOrder = Exclude<Order, { data: DataOrder } | { download: DownloadTrigger }>;

/** Objects of an IpaEuiccDataResponse, esipa.md §3.2. */
export const dataTags: Readonly<Record<string, number>> = {
  notifications: 0xa0,
  defaultSmdpAddress: 0x81,
  packageResults: 0xa2,
  euiccInfo1: 0xbf20,
  euiccInfo2: 0xbf22,
  rootSmdsAddress: 0x83,
  associationToken: 0x84,
  eumCertificate: 0xa5,
  euiccCertificate: 0xa6,
  ipaCapabilities: 0xa8,
  deviceInfo: 0xa9,
};

type EuiccPackage = EuiccPackageSigned['euiccPackage'];
const classes = { test: 0, provisioning: 1, operational: 2 } as const;

/** What the order does, one word per operation. */
export function operationsOf(order: Order): string[] {
  if ('psmo' in order) return order.psmo.map(({ op }) => op);
  if ('eco' in order) return order.eco.map(({ op }) => op);
  return ['download' in order ? 'download' : 'data'];
}

/**
 * Looks at an order from outside, whatever it is.
 * @throws EimError 'argument' saying what is wrong with it
 */
export function checkOrder(order: unknown): Order {
  const wrong = (why: string, cause?: unknown) =>
    new EimError('argument', `this order cannot be sent: ${why}`, { cause });
  if (typeof order !== 'object' || order === null) throw wrong('it is not an object');
  const kinds = (['psmo', 'eco', 'data', 'download'] as const).filter((kind) => kind in order);
  if (kinds.length !== 1) throw wrong('it needs exactly one of "psmo", "eco", "data" and "download"');
  try {
    const checked = order as Order;
    if ('data' in checked) dataRequest(checked.data, new Uint8Array(16));
    else if ('download' in checked) downloadTrigger(checked.download, new Uint8Array(16), false);
    else {
      const list = 'psmo' in checked ? checked.psmo : checked.eco;
      if (!Array.isArray(list) || list.length === 0) throw wrong('the list of operations is empty');
      // A second switch in one package has no defined result (Q37).
      const switches = list.filter(({ op }) => op === 'enable' || op === 'disable');
      if (switches.length > 1) throw wrong('one package can enable or disable only once');
      EuiccPackageSigned.write({
        eimId: 'x',
        eidValue: new Uint8Array(16),
        counterValue: 0,
        euiccPackage: euiccPackage(checked),
      });
    }
    return checked;
  } catch (error) {
    if (error instanceof EimError) throw error;
    if (error instanceof Asn1Error || error instanceof TypeError) throw wrong(error.message, error);
    throw error;
  }
}

/** @throws EimError, Asn1Error for a value that cannot be encoded */
export function euiccPackage(order: PackageOrder): EuiccPackage {
  return 'psmo' in order ? { psmoList: order.psmo.map(psmo) } : { ecoList: order.eco.map(eco) };
}

function psmo(order: PsmoOrder): Psmo {
  switch (order.op) {
    case 'enable':
      return {
        enable: { iccid: iccidBytes(order.iccid), ...(order.rollback && { rollbackFlag: true as const }) },
      };
    case 'disable':
      return { disable: { iccid: iccidBytes(order.iccid) } };
    case 'delete':
      return { delete: { iccid: iccidBytes(order.iccid) } };
    case 'setFallbackAttribute':
      return { setFallbackAttribute: { iccid: iccidBytes(order.iccid) } };
    case 'unsetFallbackAttribute':
      return { unsetFallbackAttribute: {} };
    case 'getRAT':
      return { getRAT: {} };
    case 'listProfileInfo':
      return {
        listProfileInfo: {
          ...(order.iccid !== undefined && { searchCriteria: { iccid: iccidBytes(order.iccid) } }),
          ...(order.profileClass !== undefined && {
            searchCriteria: { profileClass: classes[order.profileClass] },
          }),
          ...(order.tags && { tagList: order.tags.map(tagOf) }),
        },
      };
    case 'configureImmediateEnable':
      return {
        configureImmediateEnable: {
          ...(order.enable && { immediateEnableFlag: true as const }),
          ...(order.smdpOid !== undefined && { defaultSmdpOid: order.smdpOid }),
          ...(order.smdpAddress !== undefined && { defaultSmdpAddress: order.smdpAddress }),
        },
      };
    case 'setDefaultDpAddress':
      return { setDefaultDpAddress: { defaultDpAddress: order.address } };
    default:
      throw unknown(order, Psmo.label);
  }
}

function eco(order: EcoOrder): Eco {
  switch (order.op) {
    case 'addEim':
      return { addEim: eimConfigurationData(order.eim) };
    case 'updateEim':
      return { updateEim: eimConfigurationData(order.eim) };
    case 'deleteEim':
      return { deleteEim: { eimId: order.eimId } };
    case 'listEim':
      return { listEim: {} };
    default:
      throw unknown(order, Eco.label);
  }
}

function unknown(order: never, kind: string): EimError {
  const { op } = order as { op?: unknown };
  return new EimError('argument', `${kind} has no operation ${JSON.stringify(op)}`);
}

/** @throws Asn1Error for hex that is not an EimConfigurationData */
function eimConfigurationData(eim: EimConfiguration | string): EimConfigurationData {
  if (typeof eim === 'string') return decode(EimConfigurationData, unhex(eim));
  const { publicKey, certificate, tlsPublicKey, tlsCertificate } = eim;
  return {
    eimId: eim.eimId,
    eimFqdn: eim.eimFqdn,
    eimIdType: eim.eimIdType,
    counterValue: eim.counterValue,
    associationToken: eim.associationToken,
    ...(publicKey !== undefined && { eimPublicKeyData: { eimPublicKey: unhex(publicKey) } }),
    ...(certificate !== undefined && { eimPublicKeyData: { eimCertificate: unhex(certificate) } }),
    ...(tlsPublicKey !== undefined && { trustedPublicKeyDataTls: { trustedEimPkTls: unhex(tlsPublicKey) } }),
    ...(tlsCertificate !== undefined && {
      trustedPublicKeyDataTls: { trustedCertificateTls: unhex(tlsCertificate) },
    }),
    ...(eim.protocols && { eimSupportedProtocol: [...eim.protocols] }),
    ...(eim.euiccCiPKId !== undefined && { euiccCiPKId: unhex(eim.euiccCiPKId) }),
    ...(eim.indirectProfileDownload && { indirectProfileDownload: true as const }),
  };
}

/** The whole BF52. @throws EimError, Asn1Error */
export function dataRequest(order: DataOrder, eimTransactionId: Uint8Array): Uint8Array {
  if (!Array.isArray(order.tags) || order.tags.length === 0) {
    throw new EimError('argument', 'a data request needs at least one tag');
  }
  const { notifications, results } = order;
  return IpaEuiccDataRequest.write({
    tagList: order.tags.map(tagOf),
    ...(order.euiccCiPKId !== undefined && { euiccCiPKIdentifierToBeUsed: unhex(order.euiccCiPKId) }),
    ...(notifications && {
      searchCriteriaNotification:
        'seqNumber' in notifications
          ? { seqNumber: notifications.seqNumber }
          : { profileManagementOperation: [...notifications.events] },
    }),
    ...(results && { searchCriteriaEuiccPackageResult: { seqNumber: results.seqNumber } }),
    eimTransactionId,
  });
}

/**
 * The whole BF54.
 * @param withheld the eIM keeps the activation code (eimDownloadDataHandling)
 * @throws EimError, Asn1Error
 */
export function downloadTrigger(
  order: DownloadTrigger,
  eimTransactionId: Uint8Array,
  withheld: boolean,
): Uint8Array {
  const { activationCode, defaultSmdp, smds } = order;
  if ([activationCode, defaultSmdp || undefined, smds].filter((one) => one !== undefined).length > 1)
    throw new EimError(
      'argument',
      'a download comes by activation code, default SM-DP+ or SM-DS, one of them',
    );
  if (activationCode !== undefined) activation(activationCode);
  const profileDownloadData =
    withheld && activationCode !== undefined
      ? undefined
      : activationCode !== undefined
        ? { activationCode: activationCode.replace(/^LPA:/i, '') }
        : defaultSmdp
          ? { contactDefaultSmdp: true as const }
          : smds !== undefined
            ? { contactSmds: smds === '' ? {} : { smdsAddress: smds } }
            : undefined;
  return ProfileDownloadTriggerRequest.write({
    ...(profileDownloadData && { profileDownloadData }),
    eimTransactionId,
  });
}

/** Parts of an activation code (SGP.22 §4.1). @throws EimError 'argument' */
export function activation(code: string): { address: string; matchingId: string; oid?: string } {
  const [format, address, matchingId, oid] = code.replace(/^LPA:/i, '').split('$');
  if (format !== '1' || !address || matchingId === undefined || code.length > 255)
    throw new EimError('argument', `"${code}" is no activation code: 1$address$matchingId`);
  if (!/^[A-Za-z0-9-]*$/.test(matchingId))
    throw new EimError('argument', 'a matchingId has letters, digits and hyphens only');
  return { address, matchingId, ...(oid && { oid }) };
}

function tagOf(tag: number | string): number {
  if (typeof tag === 'number') return tag;
  const named = dataTags[tag];
  if (named !== undefined) return named;
  if (/^([0-9A-Fa-f]{2}){1,3}$/.test(tag)) return Number.parseInt(tag, 16);
  const names = Object.keys(dataTags).join(', ');
  throw new EimError('argument', `"${tag}" is neither a tag in hex nor one of ${names}`);
}

/** 16 bytes of an EID given as 32 digits. @throws EimError 'argument' */
export function eidBytes(eid: string): Uint8Array {
  if (!/^\d{32}$/.test(eid)) throw new EimError('argument', `an EID has 32 decimal digits, "${eid}" has not`);
  return unhex(eid);
}

/** 32 digits, or undefined when the bytes are no EID. */
export function eidDigits(eid: Uint8Array): string | undefined {
  const digits = hex(eid);
  return /^\d{32}$/.test(digits) ? digits : undefined;
}
