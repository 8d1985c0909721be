/**
 * How large an expression is when its repeats are written out, as compiling it does: `(ab){3}` has
 * seven parts or so. Seventeen characters can mean a million.
 *
 * An estimate, from characters, classes and parentheses alone; what is no expression has some size, too.
 */

const REPEAT = /\{(\d+)(?:,(\d*))?\}/y;
const QUOTED = /\\Q.*?(?:\\E|$)/sy;
const ESCAPE = /\\(?:[pP](?:\{[^}]*\}?|.)|x\{[^}]*\}?|.)?/sy;
const CLASS = /\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]?/sy;

export function sizeWrittenOut(text: string): number {
  /** The sizes of the groups that are open, the outermost first. */
  const open = [0];
  let last = 0;
  const add = (size: number): void => {
    last = size;
    open[open.length - 1] = (open.at(-1) ?? 0) + size;
  };
  let at = 0;
  const taken = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    at += match?.[0].length ?? 0;
    return match;
  };
  while (at < text.length) {
    const repeat = taken(REPEAT);
    if (repeat !== null) {
      const times = Math.max(Number(repeat[1]), Number(repeat[2] ?? 0));
      const own = last;
      add(own * Math.max(0, times - 1));
      last = own * times;
      continue;
    }
    const quoted = taken(QUOTED);
    if (quoted !== null) add(quoted[0].length);
    else if (taken(ESCAPE) !== null || taken(CLASS) !== null) add(1);
    else {
      const char = text.charAt(at);
      at += 1;
      if (char === '(') open.push(1);
      else if (char === ')' && open.length > 1) add(open.pop() ?? 0);
      else add(1);
    }
  }
  return open.reduce((sum, size) => sum + size, 0);
}
