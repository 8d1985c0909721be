/** `and`, `or` and `unless`: which rows are there, by whether the other side has their like. */

import type { Labels } from './labels.ts';
import { mapRows, merged, Row } from './rows.ts';
import type { Pace } from './series.ts';

export async function setOperation(
  pace: Pace,
  op: string,
  { left, right }: { readonly left: readonly Row[]; readonly right: readonly Row[] },
  signatureOf: (labels: Labels) => string,
): Promise<Row[]> {
  const kept = async (
    rows: readonly Row[],
    isKept: (signature: string, step: number) => boolean,
  ): Promise<Row[]> => {
    const all = await mapRows(pace, rows, (row) => {
      const signature = signatureOf(row.labels);
      const present = row.present.map((is, step) => (is === 1 && isKept(signature, step) ? 1 : 0));
      return new Row(row.labels, row.values, present);
    });
    return all.filter((row) => !row.isEmpty);
  };
  if (op !== 'or') {
    const presence = await presenceOf(pace, right, signatureOf);
    const wanted = op === 'and' ? 1 : 0;
    return kept(left, (signature, step) => (presence.get(signature)?.[step] ?? 0) === wanted);
  }
  const presence = await presenceOf(pace, left, signatureOf);
  const others = await kept(right, (signature, step) => presence.get(signature)?.[step] !== 1);
  return merged(pace, [...left, ...others]);
}

/** At which steps there is any row of a signature. */
async function presenceOf(
  pace: Pace,
  rows: readonly Row[],
  signatureOf: (labels: Labels) => string,
): Promise<Map<string, Uint8Array>> {
  const presence = new Map<string, Uint8Array>();
  await mapRows(pace, rows, ({ labels, present }) => {
    const signature = signatureOf(labels);
    const known = presence.get(signature);
    if (known === undefined) presence.set(signature, present.slice());
    else for (const [step, is] of present.entries()) if (is === 1) known[step] = 1;
  });
  return presence;
}
