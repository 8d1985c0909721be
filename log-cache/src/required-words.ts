/**
 * Which words an RE2 expression can't do without.
 *
 *     status=5\d\d|(?:re)?tried          status=5, tried         each match has one of them
 *     (?i)Connection (?:lost|reset)      connection␠
 *     .*|err                             none that can be told
 *
 * They are in lower case, and stand in a match in whatever case. Only what is plain is read: literals
 * outside of groups. What is not understood makes a word shorter, or says that there are none; a word
 * is never claimed wrongly, which a test from seeds holds against RE2JS.
 */

const WORD_LENGTH_MIN = 3;
/** Longer ones are cut off: their beginning must be there, too. */
const WORD_LENGTH_MAX = 16;
const WORDS_MAX = 32;

/** After a backslash these are one item, which is no literal. */
const CLASSES_AND_ASSERTIONS = 'dDsSwWbBAzntrfva';

/** Where case does not count, these are also letters beyond ASCII: K and ſ. */
const AMBIGUOUS = 'ks';

/** The words; undefined, if there is a way to match without any. The expression must be a valid one. */
export function requiredWords(expression: string): readonly string[] | undefined {
  const reader = new WordReader(/\(\?[a-zA-Z]*i/.test(expression));
  for (let at = 0; at < expression.length; ) {
    const next = reader.read(expression, at);
    if (next === undefined) return undefined;
    at = next;
  }
  return reader.words();
}

class WordReader {
  readonly #folds: boolean;
  readonly #words: string[] = [];
  /** The literals that stand beside each other, and the longest such so far of this alternative. */
  #run = '';
  #longest = '';

  constructor(folds: boolean) {
    this.#folds = folds;
  }

  words(): readonly string[] | undefined {
    this.#endAlternative();
    const isGood = this.#words.every(({ length }) => length >= WORD_LENGTH_MIN);
    return isGood && this.#words.length <= WORDS_MAX ? this.#words : undefined;
  }

  /** Reads one item, and says where the next begins; undefined, when it is not understood. */
  read(text: string, at: number): number | undefined {
    const char = text[at] as string; // Within the text.
    switch (char) {
      case '|':
        this.#endAlternative();
        return at + 1;
      case '(':
        // What repeats behind flags is what stands before them.
        if (at > 0 && /^\(\?[a-zA-Z-]*\)/.test(text.slice(at, at + 16))) return undefined;
        this.#endRun();
        return groupEnd(text, at);
      case '[':
        this.#endRun();
        return classEnd(text, at);
      case '\\':
        return this.#escape(text, at);
      case '*':
      case '?':
        this.#dropLast();
        return at + 1;
      case '{':
        this.#dropLast();
        return at + (/^\{\d+(?:,\d*)?\}/.exec(text.slice(at, at + 16))?.[0].length ?? 1);
      case '+':
      case '.':
      case '^':
      case '$':
        this.#endRun();
        return at + 1;
      default:
        this.#literal(char);
        return at + 1;
    }
  }

  #escape(text: string, at: number): number | undefined {
    const char = text[at + 1];
    if (char === undefined) return undefined;
    if (/[!-/:-@[-`{-~]/.test(char)) this.#literal(char);
    else if (CLASSES_AND_ASSERTIONS.includes(char)) this.#endRun();
    else return undefined;
    return at + 2;
  }

  #literal(char: string): void {
    const lower = char.toLowerCase();
    if (char > '\x7f' || (this.#folds && AMBIGUOUS.includes(lower))) this.#endRun();
    else this.#run += lower;
  }

  /** What stood last need not be there. */
  #dropLast(): void {
    this.#run = this.#run.slice(0, -1);
    this.#endRun();
  }

  #endRun(): void {
    if (this.#run.length > this.#longest.length) this.#longest = this.#run;
    this.#run = '';
  }

  #endAlternative(): void {
    this.#endRun();
    this.#words.push(this.#longest.slice(0, WORD_LENGTH_MAX));
    this.#longest = '';
  }
}

/** Behind the group that begins here; undefined, when something in it is not understood. */
function groupEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const char = text[at];
    if (char === '\\') {
      if (text[at + 1] === 'Q') return undefined;
      at += 2;
    } else if (char === '[') {
      at = classEnd(text, at);
    } else {
      if (char === '(') depth += 1;
      if (char === ')') depth -= 1;
      at += 1;
      if (depth === 0) return at;
    }
  }
  return undefined;
}

/** Behind the class that begins here. */
function classEnd(text: string, start: number): number {
  let at = start + 1;
  if (text[at] === '^') at += 1;
  if (text[at] === ']') at += 1; // At the beginning it stands for itself.
  while (at < text.length && text[at] !== ']') {
    const name = /^\[:\^?[a-z]+:\]/.exec(text.slice(at, at + 16));
    if (name !== null) at += name[0].length;
    else at += text[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}
