/**
 * The tags of a v2 envelope that have a place of their own in v1.
 *
 * v1 has fields where v2 has tags; a tag whose value went into a field is left out of the v1 tags.
 * Which tags these are depends on the kind of envelope (go-loggregator v10, as in Loggregator
 * v107.0.21).
 *
 * Hot: `slotOf` is asked for every tag, so it compares with one name at most.
 */

import assert from 'node:assert/strict';

const NAMES = [
  'origin',
  'deployment',
  'job',
  'index',
  'ip',
  '__v1_type',
  'source_id',
  'instance_id',
  'source_type',
  'source',
  'code',
  'request_id',
  'peer_type',
  'method',
  'uri',
  'remote_address',
  'user_agent',
  'status_code',
  'content_length',
  'routing_instance_id',
  'forwarded',
] as const;

type Name = (typeof NAMES)[number];

/** The slot of each such tag: an index for columns, and a bit for sets. */
export const Slot: Readonly<Record<Name, number>> = Object.fromEntries(
  NAMES.map((name, slot) => [name, slot]),
) as Record<Name, number>; // Every name has its entry.

export const SLOT_COUNT: number = NAMES.length;

export const NO_SLOT = -1;

/** A set of slots, as bits. */
export function slotSet(...names: readonly Name[]): number {
  return names.reduce((set, name) => set | (1 << Slot[name]), 0);
}

const COMMON = slotSet('origin', 'deployment', 'job', 'index', 'ip', '__v1_type');

/** The tags that become fields, and so are no tags, in each kind of v1 envelope. */
interface FieldsOf {
  readonly metric: number;
  readonly log: number;
  readonly error: number;
  readonly http: number;
}

export const FIELDS_OF: FieldsOf = {
  metric: COMMON,
  log: COMMON | slotSet('source_type'),
  error: COMMON | slotSet('source', 'code'),
  http:
    COMMON |
    slotSet(
      'request_id',
      'peer_type',
      'method',
      'uri',
      'remote_address',
      'user_agent',
      'status_code',
      'content_length',
      'routing_instance_id',
      'forwarded',
    ),
};

/** The names one after another, and where each begins. */
const LETTERS: Buffer = Buffer.from(NAMES.join(''));
const NAME_START = Int32Array.from(NAMES, (_, slot) => NAMES.slice(0, slot).join('').length);
const NAME_LENGTH = Int32Array.from(NAMES, ({ length }) => length);

/** Finds the only name that a key can be: by its length and its first two letters. */
const SLOT_OF_HASH: Int8Array = slotsByHash();

/** The slot of the key bytes[start, end), or NO_SLOT. */
export function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 2) return NO_SLOT;
  const slot = SLOT_OF_HASH[hashOf(length, bytes[start], bytes[start + 1])] as number;
  if (slot === NO_SLOT) return NO_SLOT;
  const name = NAME_START[slot] as number; // Slots are indexes of NAMES.
  const isOther =
    NAME_LENGTH[slot] !== length ||
    LETTERS[name] !== bytes[start] ||
    LETTERS[name + 1] !== bytes[start + 1];
  if (isOther) return NO_SLOT;
  for (let place = 2; place < length; place += 1) {
    if (LETTERS[name + place] !== bytes[start + place]) return NO_SLOT;
  }
  return slot;
}

/** A number below 64 that is another one for each name. */
function hashOf(length: number, first = 0, second = 0): number {
  return (length * 3 + first + second * 10) & 63;
}

function slotsByHash(): Int8Array {
  const slots = new Int8Array(64).fill(NO_SLOT);
  for (const [slot, name] of NAMES.entries()) {
    const hash = hashOf(name.length, name.charCodeAt(0), name.charCodeAt(1));
    assert(slots[hash] === NO_SLOT, `${name} has the hash of another name`);
    slots[hash] = slot;
  }
  return slots;
}
