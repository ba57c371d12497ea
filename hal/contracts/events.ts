/**
 * What an observer can see of the AT interface and the card. Views are lent: copy what must outlive the call.
 * The whole stream is documented in docs/events.md.
 */
export type HalEvent =
  /** One line on the serial port, without its line end. */
  | {
      event: 'at';
      direction: 'tx' | 'rx';
      line: Uint8Array;
      kind: 'command' | 'answer' | 'final' | 'urc' | 'echo';
    }
  /** One APDU as the IPA means it: after 61xx and 6Cxx, several exchanges may stand behind it. */
  | { event: 'apdu'; command: Uint8Array; response: Uint8Array; sw: number }
  | { event: 'modem'; notice: string; detail?: string | number };

export type Observer<E> = (event: E) => void;
