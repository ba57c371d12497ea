import { hex } from '../asn1/index.js';
import { sameBytes } from '../bytes.js';
import type { Known } from './compact.js';
import type { Task } from './state.js';

/** One session with a server, run for a task. In memory: the server would not wait for an eIM that restarts. */
export interface RelaySession {
  eid: string;
  task: Task;
  address: string;
  known: Known;
  isSmds: boolean;
  /** BF25 as the SM-DP+ gave it. */
  metadata?: Uint8Array;
  /** An IPA that hears nothing sends the same again; the server would take it for something new. */
  last?: { request: Uint8Array; answer: Uint8Array };
}

/** Sessions that are remembered: each may hold a whole package, and nobody says when it is over. */
const SESSIONS = 200;

/** The sessions that are open, one for a task; beyond a limit the one that began first is forgotten. */
export class RelaySessions {
  readonly #sessions = new Map<string, RelaySession>();
  readonly #limit: number;

  constructor(limit = SESSIONS) {
    this.#limit = limit;
  }

  /** @param eid of whoever asks, where that is known: nobody gets the session of another one */
  find(transactionId: Uint8Array, eid?: string): RelaySession | undefined {
    const session = this.#sessions.get(hex(transactionId));
    return session && (eid === undefined || session.eid === eid) ? session : undefined;
  }

  /** The session of a task whose last request came once more. */
  repeated(task: Task, message: Uint8Array): RelaySession | undefined {
    return [...this.#sessions.values()].find((one) => one.task === task && repeated(one, message));
  }

  /** In place of the one that its task had. */
  begin(transactionId: Uint8Array, session: RelaySession): void {
    for (const [id, { task }] of this.#sessions) if (task === session.task) this.#sessions.delete(id);
    this.#sessions.set(hex(transactionId), session);
    if (this.#sessions.size <= this.#limit) return;
    const [oldest] = this.#sessions.keys();
    this.#sessions.delete(oldest);
  }
}

export function repeated({ last }: RelaySession, message: Uint8Array): boolean {
  return last !== undefined && sameBytes(last.request, message);
}

export function remember(session: RelaySession, request: Uint8Array, answer: Uint8Array): Uint8Array {
  session.last = { request: request.slice(), answer };
  return answer;
}
