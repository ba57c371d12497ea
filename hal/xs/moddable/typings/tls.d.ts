// The declarations of the SDK are filed under another name and not found by this one.
declare module 'embedded:io/socket/tcp/tls' {
  export default class TLSSocket {
    constructor(options: Record<string, unknown>);
    close(): void;
  }
}
