/**
 * JSON that is written piece by piece: as Go writes it, fit to stand in HTML, in buffers of a bounded
 * size, with turns for others in between, and no more of it than a message of the log cache may have.
 */

import { joined } from '../joined.ts';
import { LOG_CACHE_MESSAGE_BYTES, tooLarge } from '../message-limit.ts';
import type { Pace } from './series.ts';

const CHUNK_LENGTH = 64 * 1024;

/** What is longer counts as several pieces. */
const CHARACTERS_PER_WORK = 256;

const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON as Go writes it, fit to stand in HTML. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[<>&\u2028\u2029]/g, (char) => ESCAPES[char] ?? char);
}

/** Text that grows piece by piece, up to a bound. */
export class JsonChunks {
  readonly #pace: Pace;
  readonly #buffers: Buffer[] = [];
  #text = '';
  #bytes = 0;
  #added = 0;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  add(text: string): void {
    this.#text += text;
    this.#added += 1 + Math.floor(text.length / CHARACTERS_PER_WORK);
    if (this.#text.length >= CHUNK_LENGTH) this.#flush();
  }

  /** A list, or an object of entries, with turns for others between its items. */
  async list<T>(
    items: Iterable<T>,
    textOf: (item: T) => string,
    brackets: '[]' | '{}' = '[]',
  ): Promise<void> {
    this.add(brackets.charAt(0));
    let between = '';
    for (const item of items) {
      this.add(between);
      this.add(textOf(item));
      between = ',';
      if (this.isDue()) await this.pause();
    }
    this.add(brackets.charAt(1));
  }

  isDue(): boolean {
    const added = this.#added;
    this.#added = 0;
    return this.#pace.isDue(added * 4);
  }

  pause(): Promise<void> {
    return this.#pace.pause();
  }

  /** All of it; put together in turns as well. */
  take(): Promise<Buffer> {
    this.#flush();
    return joined(this.#buffers);
  }

  #flush(): void {
    const buffer = Buffer.from(this.#text);
    this.#text = '';
    this.#bytes += buffer.length;
    if (this.#bytes > LOG_CACHE_MESSAGE_BYTES) throw tooLarge(this.#bytes);
    this.#buffers.push(buffer);
  }
}
