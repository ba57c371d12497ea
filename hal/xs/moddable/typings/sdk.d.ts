// What @moddable/typings 5.6.0 has no declarations for, as far as it is used here.

declare function trace(...items: (string | number | boolean)[]): void;

declare module 'embedded:storage/key-value' {
  export interface Store {
    read(key: string): ArrayBuffer | string | number | bigint | undefined;
    write(key: string, value: ArrayBufferView | ArrayBuffer | string | number | bigint): void;
    delete(key: string): void;
    close(): void;
  }

  const KeyValueStorage: {
    open(options: { path: string; mode?: 'r' | 'r+'; format?: 'buffer' | 'string' }): Store;
  };
  export default KeyValueStorage;
}

declare module 'embedded:network/interface/wifi' {
  export default class WiFi {
    constructor(options: { onChanged?: (property: 'connection' | 'address') => void });
    connect(options: { SSID: string; password?: string; secure?: boolean }): void;
    disconnect(): void;
    close(): void;
    /** 500 and more: there is an address; up to 200: not connected. */
    readonly connection: number;
    readonly address: string | undefined;
  }
}

declare module 'crypt' {
  export class Digest {
    constructor(type: 'SHA256' | 'SHA384' | 'SHA512');
    write(message: string | ArrayBuffer): void;
    close(): ArrayBuffer;
  }
}
