/**
 * What `label_replace` puts in a label's place: a text with the groups of a match in it.
 *
 *     $1  $name  ${name}     a group; empty, if there is none of this name
 *     $$                     a dollar
 *
 * It is read once for all series, and how long it will be is known before it is put together.
 */

const REFERENCE = /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu;

interface Group {
  readonly name: string;
}

export class Replacement {
  readonly #parts: readonly (string | Group)[];
  /** How often each group is there. */
  readonly #groups: ReadonlyMap<string, number>;
  readonly #plainLength: number;

  constructor(template: string) {
    const parts: (string | Group)[] = [];
    const groups = new Map<string, number>();
    let plainLength = 0;
    const add = (text: string): void => {
      if (text !== '') parts.push(text);
      plainLength += text.length;
    };
    let from = 0;
    for (const match of template.matchAll(REFERENCE)) {
      const [all, dollar, plain, braced] = match;
      add(template.slice(from, match.index));
      from = match.index + all.length;
      if (dollar !== undefined) {
        add(dollar);
        continue;
      }
      const name = plain ?? braced ?? '';
      if (/^0\d/.test(name)) continue; // It is no number, nor can a group be called so.
      parts.push({ name });
      groups.set(name, (groups.get(name) ?? 0) + 1);
    }
    add(template.slice(from));
    this.#parts = parts;
    this.#groups = groups;
    this.#plainLength = plainLength;
  }

  /** Steps of work that one text takes. */
  get work(): number {
    return this.#parts.length;
  }

  /** The text with these groups; undefined, if it would have more characters than `room`. */
  with(groupOf: (name: string) => string, room: number): string | undefined {
    const texts = new Map<string, string>();
    let length = this.#plainLength;
    for (const [name, count] of this.#groups) {
      const text = groupOf(name);
      texts.set(name, text);
      length += count * text.length;
    }
    if (length > room) return undefined;
    return this.#parts
      .map((part) => (typeof part === 'string' ? part : (texts.get(part.name) ?? '')))
      .join('');
  }
}
