/**
 * Which name was meant by a misspelt one.
 *
 * Two names are near if at most two slips lie between them (one, for short names): a letter left
 * out, put in, replaced, or two neighbours swapped. Names under five letters are never near: PATH
 * is no misspelt PORT.
 */

const ONE_SLIP_LENGTH_MIN = 5;
const TWO_SLIPS_LENGTH_MIN = 9;

/** The nearest of `candidates`, if one is near. The first wins among equals. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const length = Math.min(name.length, candidate.length);
    if (length < ONE_SLIP_LENGTH_MIN || Math.abs(name.length - candidate.length) > 2) continue;
    const allowed = length < TWO_SLIPS_LENGTH_MIN ? 1 : 2;
    const slips = slipsBetween(name, candidate);
    if (slips > 0 && slips <= allowed && slips < fewest) {
      nearest = candidate;
      fewest = slips;
    }
  }
  return nearest;
}

/** The Damerau-Levenshtein distance in which no letter is changed twice. */
export function slipsBetween(a: string, b: string): number {
  let twoAgo: number[] = [];
  let before = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let slips = Math.min(
        at(before, j) + 1,
        at(row, j - 1) + 1,
        at(before, j - 1) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        slips = Math.min(slips, at(twoAgo, j - 2) + 1);
      }
      row.push(slips);
    }
    twoAgo = before;
    before = row;
  }
  return at(before, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
