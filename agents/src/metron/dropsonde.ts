/**
 * The old door of an agent: dropsonde, one v1 envelope to a UDP datagram.
 *
 *     datagram ─▶ read ─▶ fill in what it lacks ─▶ as v2 ─▶ the way of every other envelope
 *
 * As in loggregator-agent-release v8.3.9, an envelope without the tag `source_id` gets its origin
 * for one, and one without deployment, job, index or ip gets the agent's. One that can't be read, or
 * whose body is not of the type that it says, is refused and counted. (The original sends v1 on as
 * v1; here it becomes v2 at once, so that its source has one owner. And a counter that says neither
 * a delta nor a total begins again at zero, as it does in v2.)
 *
 * Nothing waits here; what the socket's buffer in the kernel can't hold is lost, and nobody counts
 * it. Hot where v1 is still sent: what it allocates is for what an envelope lacks.
 */

import type { Log } from '@standpipe/plumbing';
import {
  Batch,
  BatchBuilder,
  encodeVarint,
  events,
  scanBatch,
  ToV2,
  V1Parts,
  varintSize,
} from '@standpipe/protos';
import type { MetronMetrics } from './metrics.ts';

/** What the agent's own v1 fields are, as settings give them. */
export interface V1Defaults {
  readonly deployment: string;
  readonly job: string;
  readonly index: string;
  readonly ip: string;
}

export interface DropsondeOptions {
  readonly defaults: V1Defaults;
  /** Takes a scanned batch, whose bytes it must copy. */
  readonly process: (batch: Batch) => void;
  readonly metrics: MetronMetrics;
  readonly log: Log;
}

/** Fields of events.Envelope; job, index and ip come after deployment. */
const ORIGIN = 1;
const EVENT_TYPE = 2;
const DEPLOYMENT = 13;
const TAGS = 17;

/** A field that an envelope may lack, encoded. */
interface Filling {
  readonly field: number;
  readonly bytes: Buffer;
}

const { EventType } = events.Envelope;
/** Where the body of each type of event stands. */
const BODIES: ReadonlyMap<number, number> = new Map([
  [EventType.HttpStartStop, 7],
  [EventType.LogMessage, 8],
  [EventType.ValueMetric, 9],
  [EventType.CounterEvent, 10],
  [EventType.Error, 11],
  [EventType.ContainerMetric, 12],
]);

const SOURCE_ID = Buffer.from('source_id');
const SOURCE_ID_KEY = encodeField(1, SOURCE_ID);

export class Dropsonde {
  readonly #process: (batch: Batch) => void;
  readonly #metrics: MetronMetrics;
  readonly #log: Log;
  readonly #fillings: readonly Filling[];
  readonly #parts = new V1Parts();
  readonly #toV2 = new ToV2();
  readonly #builder = new BatchBuilder();
  readonly #batch = new Batch();

  constructor({ defaults, process, metrics, log }: DropsondeOptions) {
    this.#process = process;
    this.#metrics = metrics;
    this.#log = log;
    const { deployment, job, index, ip } = defaults;
    this.#fillings = [deployment, job, index, ip].map((value, place) => {
      const field = DEPLOYMENT + place;
      return { field, bytes: encodeField(field, Buffer.from(value)) };
    });
  }

  /** Takes a datagram in. Never throws, whatever is in it. */
  take(datagram: Buffer): void {
    this.#metrics.ingressV1.add(1);
    const mistake = this.#accept(datagram);
    if (mistake === '') return;
    this.#metrics.malformedV1.add(1);
    this.#log.limited(`v1 ${mistake}`, 'warn', { mistake }, 'a v1 envelope was refused');
  }

  #accept(datagram: Buffer): string {
    const parts = this.#parts;
    if (!parts.read(datagram, 0, datagram.length)) return 'malformed';
    const body = BODIES.get(parts.envelope.low[EVENT_TYPE] ?? 0);
    if (body === undefined || !parts.envelope.has(body)) return 'its body is not of its type';

    const lacking = this.#lacking(datagram);
    if (lacking.length > 0) {
      const filled = Buffer.concat([datagram, ...lacking]);
      if (!parts.read(filled, 0, filled.length)) return 'malformed';
    }
    if (!this.#toV2.add(parts, this.#builder)) return 'its type is not known';
    if (!scanBatch(this.#builder.take().bytes, this.#batch)) return this.#batch.mistake;
    this.#process(this.#batch);
    return '';
  }

  /** The encoded fields that the envelope that was read lacks. */
  #lacking(bytes: Buffer): Buffer[] {
    const { envelope } = this.#parts;
    const lacking: Buffer[] = [];
    for (const { field, bytes: filling } of this.#fillings) {
      if (!envelope.has(field)) lacking.push(filling);
    }
    if (!this.#hasSourceId(bytes)) {
      const origin = bytes.subarray(envelope.start[ORIGIN], envelope.end[ORIGIN]);
      lacking.push(encodeField(TAGS, Buffer.concat([SOURCE_ID_KEY, encodeField(2, origin)])));
    }
    return lacking;
  }

  #hasSourceId(bytes: Buffer): boolean {
    const { tags } = this.#parts;
    let has = false; // Of two tags with one name the last counts.
    for (let entry = 0; entry < tags.count; entry += 1) {
      const key = bytes.subarray(tags.keyStart[entry], tags.keyEnd[entry]);
      if (key.equals(SOURCE_ID)) {
        has = (tags.valueEnd[entry] as number) > (tags.valueStart[entry] as number);
      }
    }
    return has;
  }
}

/** A length-delimited field. */
function encodeField(field: number, value: Buffer): Buffer {
  const tag = (field << 3) | 2;
  const head = Buffer.alloc(varintSize(tag) + varintSize(value.length));
  encodeVarint(head, encodeVarint(head, 0, tag), value.length);
  return Buffer.concat([head, value]);
}
