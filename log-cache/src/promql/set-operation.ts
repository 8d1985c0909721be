/** `and`, `or` and `unless`: which rows are there, by whether the other side has their like. */

import type { Labels } from './labels.ts';
import { merged, Row } from './rows.ts';

export function setOperation(
  op: string,
  { left, right }: { readonly left: readonly Row[]; readonly right: readonly Row[] },
  signatureOf: (labels: Labels) => string,
): Row[] {
  const kept = (
    rows: readonly Row[],
    isKept: (signature: string, step: number) => boolean,
  ): Row[] =>
    rows.flatMap((row) => {
      const signature = signatureOf(row.labels);
      const present = row.present.map((is, step) => (is === 1 && isKept(signature, step) ? 1 : 0));
      return present.includes(1) ? [new Row(row.labels, row.values, present)] : [];
    });
  if (op !== 'or') {
    const presence = presenceOf(right, signatureOf);
    const wanted = op === 'and' ? 1 : 0;
    return kept(left, (signature, step) => (presence.get(signature)?.[step] ?? 0) === wanted);
  }
  const presence = presenceOf(left, signatureOf);
  const others = kept(right, (signature, step) => presence.get(signature)?.[step] !== 1);
  return merged([...left, ...others]);
}

/** At which steps there is any row of a signature. */
function presenceOf(
  rows: readonly Row[],
  signatureOf: (labels: Labels) => string,
): Map<string, Uint8Array> {
  const presence = new Map<string, Uint8Array>();
  for (const { labels, present } of rows) {
    const signature = signatureOf(labels);
    const known = presence.get(signature);
    if (known === undefined) presence.set(signature, present.slice());
    else for (const [step, is] of present.entries()) if (is === 1) known[step] = 1;
  }
  return presence;
}
