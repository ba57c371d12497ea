import type { TraceEvent } from '../events.js';

/** What a run cost, counted from its events. */
export class Figures {
  queued = 0;
  verified = 0;
  /** Data requests; they carry no signature that could be verified. */
  answered = 0;
  /** Profiles that were downloaded and installed. */
  downloads = 0;
  refused = 0;
  /** Of these, orders; the others were attacks. */
  refusedOrders = 0;
  rejected = 0;
  acknowledged = 0;
  notifications = 0;
  messages = 0;
  bytesUp = 0;
  bytesDown = 0;
  dropped = 0;
  failures = 0;
  profileSwitches = 0;
  /** APDUs as the IPA means them. */
  apdus = 0;
  last = 0;

  take(event: TraceEvent): void {
    this.last = event.at;
    switch (event.event) {
      case 'apdu':
        this.apdus++;
        break;
      case 'esipa':
        this.messages++;
        if (event.direction === 'up') this.bytesUp += event.message.length;
        else this.bytesDown += event.byteLength ?? event.message.length;
        break;
      case 'dropped':
        this.dropped++;
        break;
      case 'failure':
        this.failures++;
        break;
      case 'card':
        if (event.what === 'profileSwitched') this.profileSwitches++;
        break;
      case 'eim':
        if (event.what === 'queued') this.queued++;
        else if (event.what === 'verified') this.verified++;
        else if (event.what === 'data' && event.detail?.kind === 'order') this.answered++;
        else if (event.what === 'download' && event.detail?.ok === true) this.downloads++;
        else if (event.what === 'refused') {
          this.refused++;
          if (event.detail?.queued === true) this.refusedOrders++;
        } else if (event.what === 'rejected') this.rejected++;
        else if (event.what === 'acknowledged') this.acknowledged++;
        else if (event.what === 'notification') this.notifications++;
        break;
    }
  }
}
