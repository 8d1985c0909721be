/**
 * When a message leaves, so that a process that has many to send sends few.
 *
 *     waiting   ··  ·       ·················   ·················      ·
 *     out       ··  ·       ····[···········]   [···············]      ·
 *               at once     └──── round ────┘   └──── round ────┘      at once
 *
 * A message costs as much as dozens of the items in it: its head, its frame, its TLS record, its
 * callback, at both ends. So a process that has sent some items within a round keeps what comes
 * then for the end of the round, and it leaves together; a process that sends little sends it at
 * once. Rounds are the same for all streams of a process: their messages leave in one turn, and so
 * in few packets. A full message waits for nothing. A round that had many messages makes the next
 * one longer, up to 100 ms, so that those of hundreds of streams cost a small part of a core.
 *
 * Nothing is lost here: what waits does so in its stream's queue. There is one timer, and only
 * while anybody waits.
 */

export interface RoundsOptions {
  /** How long an item waits for others, as long as few streams have any. Default 15 ms. */
  readonly ms?: number;
  /** Once so many items of a round have left, the rest wait for its end. Default 20. */
  readonly prompt?: number;
  /** Milliseconds since any moment. */
  readonly now?: () => number;
}

const MS_DEFAULT = 15;
/** However many streams there are, nothing waits for longer; as in Loggregator v107.0.21. */
const MS_MAX = 100;
/** At a price of 10 to 20 CPU-µs, messages take a tenth of a core or less. */
const MS_PER_MESSAGE = 0.2;
const PROMPT_DEFAULT = 20;

/** The rounds of all streams of a process. */
export class Rounds {
  readonly #ms: number;
  /** How long this round lasts. */
  #lastsMs: number;
  readonly #prompt: number;
  readonly #now: () => number;
  #beganAt = Number.NEGATIVE_INFINITY;
  #sent = 0;
  #waiting: (() => void)[] = [];

  constructor({ ms, prompt, now }: RoundsOptions = {}) {
    this.#ms = ms ?? MS_DEFAULT;
    this.#lastsMs = this.#ms;
    this.#prompt = prompt ?? PROMPT_DEFAULT;
    this.#now = now ?? (() => performance.now());
  }

  /** Whether what waits may leave at once, since little has left in this round. */
  get isQuiet(): boolean {
    const now = this.#now();
    if (now - this.#beganAt >= this.#lastsMs && this.#waiting.length === 0) this.#begin(now);
    return this.#sent < this.#prompt && this.#waiting.length === 0;
  }

  /** Counts items that leave. */
  sent(count: number): void {
    this.#sent += count;
  }

  /** Calls back at the end of this round. */
  atEnd(listener: () => void): void {
    if (this.#waiting.push(listener) > 1) return;
    setTimeout(this.#end, Math.max(0, this.#beganAt + this.#lastsMs - this.#now()));
  }

  readonly #end = (): void => {
    const listeners = this.#waiting;
    this.#waiting = [];
    this.#begin(this.#now(), listeners.length);
    for (const listener of listeners) listener();
  };

  #begin(now: number, messages = 0): void {
    this.#beganAt = now;
    this.#lastsMs = Math.max(this.#ms, Math.min(MS_MAX, messages * MS_PER_MESSAGE));
    this.#sent = 0;
  }
}

/** The pace of one stream. */
export class Pace {
  readonly #rounds: Pick<Rounds, 'isQuiet' | 'sent' | 'atEnd'>;
  #release: (() => void) | undefined;
  #isHurried = false;

  constructor(rounds: Pick<Rounds, 'isQuiet' | 'sent' | 'atEnd'>) {
    this.#rounds = rounds;
  }

  /** Resolves when what waits, of which `waiting` tells how many items it is, is to be sent. */
  readonly gather = async (waiting: () => number): Promise<void> => {
    if (!this.#isHurried) await this.#turnOrRound();
    this.#isHurried = false;
    this.#rounds.sent(waiting());
  };

  /** Ends the wait, or spares the next: there is a full message, or nothing more will come. */
  hurry(): void {
    this.#isHurried = true;
    this.#release?.();
  }

  /** Waits for the next turn of the event loop or for the end of the round, or until hurried. */
  #turnOrRound(): Promise<void> {
    return new Promise((resolve) => {
      const release = (): void => {
        if (this.#release === release) this.#release = undefined; // Else this is long over.
        resolve();
      };
      this.#release = release;
      if (this.#rounds.isQuiet) setImmediate(release);
      else this.#rounds.atEnd(release);
    });
  }
}
