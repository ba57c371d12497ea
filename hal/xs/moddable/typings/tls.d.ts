// What the SDK has of TLS and no declarations for, as far as it is used here.

declare module 'ssl/session' {
  /** The connection below. The session counts in it what can be read and written. */
  export interface Transport {
    readable: number;
    writable: number;
    read(piece: Uint8Array): unknown;
    /** @returns how many bytes may be written still */
    write(bytes: Uint8Array): number;
  }

  export default class Session {
    constructor(options: Record<string, unknown>);
    certificateManager: object;
    cacheManager: object;
    handshakeProcess: number;
    clientCipher: object | null;
    serverCipher: object | null;
    applicationData: object | undefined;
    alert: { level: number; description: number } | undefined;
    initiateHandshake(): void;
    /** The next record, once it is there as a whole. */
    readPacket(transport: Transport): ArrayBuffer | undefined;
    /** One step. @returns whether it is over, in the one way or the other */
    handshake(transport: Transport): boolean;
    /** The contents of the next record; null: the server has closed the session. */
    read(transport: Transport): Uint8Array | null | undefined;
    write(transport: Transport, bytes: Uint8Array, options?: { more?: boolean; byteLength?: number }): number;
  }
}

declare module 'ssl/cert' {
  import type { PublicKey } from 'x509';

  export default class CertificateManager {
    constructor(options: object);
    /** The key of a root by its identifier, from one of the SDK's resources. */
    findCert(list: 'ca.ski', keyIdentifier: Uint8Array | undefined): PublicKey | undefined;
  }
}

declare module 'x509' {
  import type { Curve, Point } from 'ecdsa';

  /** `pub` and `curve` of an elliptic curve, the others of RSA. */
  export interface PublicKey {
    pub?: Point;
    curve?: Curve;
    modulus?: bigint;
    exponent?: bigint;
  }

  const X509: {
    decode(der: Uint8Array): { tbs: Uint8Array; algo: Uint32Array; sig: Uint8Array; spki: PublicKey };
    decodeTBS(tbs: Uint8Array): { validity: { from: number; to: number }; subjectPublicKeyInfo: Uint8Array };
    decodeAKI(der: Uint8Array): Uint8Array | undefined;
    decodeSAN(der: Uint8Array): { tag: number; value: string | ArrayBuffer }[] | undefined;
    /** The contents of extnValue. */
    decodeExtension(der: Uint8Array, id: readonly number[]): Uint8Array | ArrayBuffer | undefined;
  };
  export default X509;
}

declare module 'ber' {
  export default class BER {
    constructor(bytes: Uint8Array | ArrayBuffer);
    getTag(): number;
    getLength(): number;
  }
}

declare module 'ecdsa' {
  export interface Point {
    readonly X: bigint;
  }

  export interface Curve {
    readonly G: Point;
    readonly n: bigint;
    readonly orderSize: number;
    readonly ec: { mul2(point: Point, by: bigint, other: Point, otherBy: bigint): Point };
  }

  export default class ECDSA {
    constructor(key: Point, curve: Curve, isPrivate: boolean);
    verify(digest: ArrayBuffer, signature: Uint8Array, isDer: boolean): boolean;
  }
}

declare module 'pkcs1_5' {
  export default class PKCS1_5 {
    constructor(key: { exponent: bigint; modulus: bigint }, isPrivate: boolean, oid: readonly number[]);
    verify(digest: ArrayBuffer, signature: Uint8Array): boolean;
  }
}
