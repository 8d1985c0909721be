/**
 * What events.proto says about the messages in a v1 envelope, as tables for those who walk bytes.
 */

/** The messages, as indexes of the tables; a UUID is another message in each of its places. */
export const V1Message = {
  envelope: 0,
  http: 1,
  requestId: 2,
  applicationId: 3,
  log: 4,
  value: 5,
  counter: 6,
  error: 7,
  container: 8,
  tag: 9,
} as const;

/** events.Envelope.EventType, as numbers to switch over. */
export const EventType = {
  httpStartStop: 4,
  logMessage: 5,
  valueMetric: 6,
  counterEvent: 7,
  error: 8,
  containerMetric: 9,
} as const;

/** Field numbers are below this. */
export const FIELDS_MAX = 18;

/** The number of HttpStartStop's only repeated field, and of LogMessage's only one that is bytes. */
export const FORWARDED = 15;
const LOG_PAYLOAD = 1;

interface Shape {
  /** The wire type of each field by its number. */
  readonly types: Readonly<Record<number, number>>;
  /** The numbers of the fields that must be there. */
  readonly required: readonly number[];
  /** The messages among the fields. */
  readonly messages?: Readonly<Record<number, number>>;
}

const ENVELOPE: Shape = {
  types: {
    1: 2,
    2: 0,
    6: 0,
    7: 2,
    8: 2,
    9: 2,
    10: 2,
    11: 2,
    12: 2,
    13: 2,
    14: 2,
    15: 2,
    16: 2,
    17: 2,
  },
  required: [1, 2],
  messages: {
    7: V1Message.http,
    8: V1Message.log,
    9: V1Message.value,
    10: V1Message.counter,
    11: V1Message.error,
    12: V1Message.container,
    17: V1Message.tag,
  },
};

const HTTP: Shape = {
  types: {
    1: 0,
    2: 0,
    3: 2,
    4: 0,
    5: 0,
    6: 2,
    7: 2,
    8: 2,
    9: 0,
    10: 0,
    12: 2,
    13: 0,
    14: 2,
    15: 2,
  },
  required: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  messages: { 3: V1Message.requestId, 12: V1Message.applicationId },
};

const UUID: Shape = { types: { 1: 0, 2: 0 }, required: [1, 2] };

/** In the order of their indexes. */
const SHAPES: readonly Shape[] = [
  ENVELOPE,
  HTTP,
  UUID,
  UUID,
  { types: { 1: 2, 2: 0, 3: 0, 4: 2, 5: 2, 6: 2 }, required: [1, 2, 3] }, // LogMessage
  { types: { 1: 2, 2: 1, 3: 2 }, required: [1, 2, 3] }, // ValueMetric
  { types: { 1: 2, 2: 0, 3: 0 }, required: [1, 2] }, // CounterEvent
  { types: { 1: 2, 2: 0, 3: 2 }, required: [1, 2, 3] }, // Error
  { types: { 1: 2, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0, 7: 0 }, required: [1, 2, 3, 4, 5] }, // ContainerMetric
  { types: { 1: 2, 2: 2 }, required: [] }, // An entry of the tags.
];

/** The wire type of each field of each message; -1 where there is no field. */
export const TYPES: readonly Int8Array[] = SHAPES.map(({ types }) =>
  Int8Array.from({ length: FIELDS_MAX }, (_, field) => types[field] ?? -1),
);

/** The bits of the fields that each message must have. */
export const REQUIRED: readonly number[] = SHAPES.map(({ required }) =>
  required.reduce((bits, field) => bits | (1 << field), 0),
);

/** The message that each field of each message is; 0, the envelope, where it is none. */
export const NESTED: readonly Uint8Array[] = SHAPES.map(({ messages }) =>
  Uint8Array.from({ length: FIELDS_MAX }, (_, field) => messages?.[field] ?? 0),
);

/** Whether a length-delimited field that is no message is text; else it is bytes. */
export function isText(message: number, field: number): boolean {
  return message !== V1Message.log || field !== LOG_PAYLOAD;
}
