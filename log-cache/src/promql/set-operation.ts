/** `and`, `or` and `unless`: which rows are there, by whether the other side has their like. */

import type { Labels } from './labels.ts';
import { merged, Row } from './rows.ts';
import type { Pace } from './series.ts';
import { mapSteps } from './steps.ts';

type SignatureOf = (labels: Labels) => string;

/** At which steps there is any row of a signature. */
type Presence = ReadonlyMap<string, Uint8Array>;

export async function setOperation(
  pace: Pace,
  op: string,
  { left, right }: { readonly left: readonly Row[]; readonly right: readonly Row[] },
  signatureOf: SignatureOf,
): Promise<Row[]> {
  if (op !== 'or') {
    const presence = await presenceOf(pace, right, signatureOf);
    return kept(pace, left, { presence, signatureOf, wanted: op === 'and' ? 1 : 0 });
  }
  const presence = await presenceOf(pace, left, signatureOf);
  const others = await kept(pace, right, { presence, signatureOf, wanted: 0 });
  return merged(pace, [...left, ...others]);
}

/** What is left of rows at the steps at which their like is there, or is not. */
async function kept(
  pace: Pace,
  rows: readonly Row[],
  {
    presence,
    signatureOf,
    wanted,
  }: {
    readonly presence: Presence;
    readonly signatureOf: SignatureOf;
    /** 1: where the like is there. */
    readonly wanted: 0 | 1;
  },
): Promise<Row[]> {
  const begin = ({ labels, values }: Row) => ({
    row: new Row(labels, values, new Uint8Array(values.length)),
    like: presence.get(signatureOf(labels)),
  });
  const all = await mapSteps(pace, rows, begin, ({ row, like }, { present }, from, to) => {
    for (let step = from; step < to; step += 1) {
      if (present[step] === 1 && (like?.[step] ?? 0) === wanted) row.present[step] = 1;
    }
  });
  return all.map(({ row }) => row).filter((row) => !row.isEmpty);
}

async function presenceOf(
  pace: Pace,
  rows: readonly Row[],
  signatureOf: SignatureOf,
): Promise<Presence> {
  const presence = new Map<string, Uint8Array>();
  const begin = ({ labels, values }: Row): Uint8Array => {
    const signature = signatureOf(labels);
    const known = presence.get(signature) ?? new Uint8Array(values.length);
    presence.set(signature, known);
    return known;
  };
  await mapSteps(pace, rows, begin, (known, { present }, from, to) => {
    for (let step = from; step < to; step += 1) if (present[step] === 1) known[step] = 1;
  });
  return presence;
}
