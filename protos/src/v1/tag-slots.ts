/**
 * The tags of a v2 envelope that have a place of their own in v1.
 *
 * v1 has fields where v2 has tags; a tag whose value went into a field is left out of the v1 tags.
 * Which tags these are depends on the kind of envelope (go-loggregator v10, as in Loggregator
 * v107.0.21).
 *
 * Hot: `slotOf` is asked for every tag, so it compares only keys of the tag's length.
 */

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

interface Key {
  readonly slot: number;
  readonly bytes: Uint8Array;
}

const KEYS_BY_LENGTH: readonly (readonly Key[])[] = keysByLength();

/** The slot of the key bytes[start, end), or NO_SLOT. */
export function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const keys = KEYS_BY_LENGTH[end - start];
  if (keys === undefined) return NO_SLOT;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as Key; // Below the length.
    if (isSame(key.bytes, bytes, start)) return key.slot;
  }
  return NO_SLOT;
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < key.length; at += 1) if (key[at] !== bytes[start + at]) return false;
  return true;
}

function keysByLength(): Key[][] {
  const longest = Math.max(...NAMES.map((name) => name.length));
  return Array.from({ length: longest + 1 }, (_, length) =>
    NAMES.filter((name) => name.length === length).map((name) => ({
      slot: Slot[name],
      bytes: Buffer.from(name),
    })),
  );
}
