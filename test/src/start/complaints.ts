/**
 * What the processes whose files one edits warn of, for the screen: a mistake in such a file, an app
 * that crashes, a drain that is refused. All else that processes say is in the log cache.
 *
 * Executors share one file and tell of the same mistake at the same time: it is shown once.
 */

/** The source ids of those that read a file of the user's. */
const HEARD: readonly string[] = ['executor', 'syslog_adapter', 'platform'];
/** pino's number for a warning. */
const WARNING = 40;
const SAME_WITHIN_MS = 3000;

export interface ComplaintsOptions {
  readonly say: (line: string) => void;
  /** In ms. */
  readonly now: () => number;
}

export class Complaints {
  readonly #options: ComplaintsOptions;
  #last = { text: '', atMs: Number.NEGATIVE_INFINITY };

  constructor(options: ComplaintsOptions) {
    this.#options = options;
  }

  /** Hears a line that a process wrote to stderr. */
  hear(sourceId: string, line: string): void {
    if (!HEARD.includes(sourceId) || !line.startsWith('{')) return;
    const { level, time: _time, name: _name, msg, ...facts } = JSON.parse(line);
    if (level < WARNING) return;
    const { say, now } = this.#options;
    const text = `${sourceId.replaceAll('_', '-')}: ${msg}${inBrackets(facts)}`;
    const atMs = now();
    const isSame = text === this.#last.text && atMs - this.#last.atMs < SAME_WITHIN_MS;
    this.#last = { text, atMs };
    if (!isSame) say(text);
  }
}

function inBrackets(facts: Readonly<Record<string, unknown>>): string {
  const told = Object.entries(facts).map(([key, value]) => `${key}: ${plain(value)}`);
  return told.length === 0 ? '' : ` (${told.join(', ')})`;
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value.trim().replace(/\s+/g, ' '); // One line.
  if (Array.isArray(value)) return value.map(plain).join('; ');
  if (typeof value === 'object' && value && 'message' in value) return plain(value.message);
  return JSON.stringify(value);
}
