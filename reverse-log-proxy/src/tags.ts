/**
 * The tag preference of readers, met batch by batch.
 *
 * Envelopes that agents send have no deprecated tags, so a reader that prefers `tags` nearly always
 * gets the very bytes that came. One that asks for nothing gets all of them rewritten, for that is
 * the default of Loggregator v107.0.21: all tags as deprecated ones.
 *
 * Hot: a walk over the fields of each envelope decides; only then is anything copied.
 */

import {
  type Batch,
  BatchBuilder,
  EnvelopeField,
  FieldReader,
  type PackedBatch,
  TagPreference,
} from '@standpipe/protos';

export class ReaderTags {
  readonly #preference = new TagPreference();
  readonly #builder = new BatchBuilder();
  readonly #fields = new FieldReader();

  /** A scanned batch as a reader wants it. */
  apply(batch: Batch, usePreferredTags: boolean): PackedBatch {
    const moving = usePreferredTags ? EnvelopeField.deprecatedTags : EnvelopeField.tags;
    if (!this.#has(batch, moving)) return batch.pack();
    const preference = this.#preference;
    const builder = this.#builder;
    for (let index = 0; index < batch.count; index += 1) {
      if (usePreferredTags) preference.prefer(batch, index, builder);
      else preference.deprecate(batch, index, builder);
    }
    return builder.take();
  }

  /** Whether any envelope has a tag in this map. */
  #has(batch: Batch, map: number): boolean {
    for (let index = 0; index < batch.count; index += 1) {
      const start = batch.start[index] as number; // Below the count, so the columns have it.
      const fields = this.#fields.over(batch.bytes, start, batch.end[index] as number);
      while (fields.next()) if (fields.field === map && fields.wireType === 2) return true;
    }
    return false;
  }
}
