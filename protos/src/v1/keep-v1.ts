/**
 * v1 envelopes that came in as v1, gathered for v1 subscribers as the very bytes they came in.
 *
 * Converting them to v2 and back would lose what v2 has no place for: the time of a log message,
 * whether a field was empty or missing, the kinds that v2 does not know.
 *
 * Hot where agents still send v1. Costs one copy of the envelope.
 */

import { hashBytes } from '../byte-map.ts';
import { FRAME_TAG } from '../packed-batch.ts';
import { fieldSize, WireWriter } from '../wire-writer.ts';
import { Uuid } from './uuid.ts';
import { V1Batch } from './v1-batch.ts';
import type { V1Fields, V1Parts } from './v1-parts.ts';
import { EventType } from './v1-shapes.ts';

const UUID_BYTES = 36;

export class KeepV1 {
  readonly #batch = new V1Batch();
  readonly #wire = new WireWriter();
  readonly #uuid = new Uuid();
  readonly #uuidText = Buffer.alloc(UUID_BYTES);

  /** Begins an empty batch. */
  begin(): void {
    this.#batch.clear();
  }

  /** Adds an envelope that was read. */
  add(parts: V1Parts): void {
    const wire = this.#wire;
    const length = parts.end - parts.start;
    const frameStart = wire.byteLength;
    wire.reserve(fieldSize(length));
    wire.field(FRAME_TAG, parts.bytes, parts.start, parts.end);
    const end = wire.byteLength;
    // The number is compared by its lower word: the others are far away from it.
    const type = parts.envelope.low[2];
    this.#batch.push(frameStart, end - length, end, type === EventType.logMessage);
    if (type === EventType.logMessage) this.#route(parts.bytes, parts.log, 4);
    else if (type === EventType.containerMetric) this.#route(parts.bytes, parts.container, 1);
    else if (type === EventType.httpStartStop && parts.applicationId.seen !== 0) {
      this.#routeByUuid(parts.applicationId);
    }
  }

  /** Hands over the batch, which holds until the next `begin`. */
  finish(): V1Batch {
    this.#batch.bytes = this.#wire.take();
    return this.#batch;
  }

  #route(bytes: Uint8Array, { start, end }: V1Fields, field: number): void {
    const from = start[field] as number; // Fields are below the length of the columns.
    const to = end[field] as number;
    this.#batch.route(bytes, from, to, hashBytes(bytes, from, to));
  }

  #routeByUuid(fields: V1Fields): void {
    const text = this.#uuidText;
    this.#uuid.from(fields).write(text, 0);
    this.#batch.route(text, 0, UUID_BYTES, hashBytes(text, 0, UUID_BYTES));
  }
}
