/**
 * What a metron agent counts, under the names of loggregator-agent-release v8.3.9.
 *
 * ingress (less what of v1 is malformed) = egress + dropped + filtered + what waits; and of egress,
 * at most `unconfirmed` never arrived.
 */

import {
  type Clock,
  type Counter,
  type Gauge,
  type Metrics,
  systemClock,
} from '@standpipe/plumbing';

export interface MetronMetrics {
  readonly ingress: Counter;
  readonly ingressV1: Counter;
  readonly egress: Counter;
  readonly droppedEgress: Counter;
  readonly unconfirmed: Counter;
  readonly malformed: Counter;
  readonly malformedV1: Counter;
  readonly filtered: Counter;
  readonly originMappings: Counter;
  readonly totalsForgotten: Counter;
  readonly dopplerStreams: Gauge;
  readonly averageSize: AverageSize;
}

/** What is read when it is asked for. */
export interface MetronReadings {
  readonly connected: () => number;
  readonly waiting: () => number;
  readonly clock?: Clock;
}

const VERSION = { metric_version: '2.0' };
const VERSION_1 = { metric_version: '1.0' };

const MALFORMED = 'Messages refused because they were malformed.';

export function metronMetrics(metrics: Metrics, readings: MetronReadings): MetronMetrics {
  const averageSize = new AverageSize(readings.clock ?? systemClock);
  metrics.gauge('doppler_connections', 'Connections to Dopplers.', {
    labels: VERSION,
    read: readings.connected,
  });
  metrics.gauge('waiting', 'Envelopes that wait for a Doppler.', {
    labels: VERSION,
    read: readings.waiting,
  });
  metrics.gauge('average_envelopes', 'Mean size of an envelope in the last minute.', {
    unit: 'bytes/minute', // The original's unit, for the dashboards that select by it.
    labels: { ...VERSION, unit: 'bytes/minute', loggregator: 'v2' },
    read: () => averageSize.value,
  });
  return {
    ingress: metrics.counter('ingress', 'Envelopes received.', VERSION),
    ingressV1: metrics.counter('ingress', 'Envelopes received.', VERSION_1),
    egress: metrics.counter('egress', 'Envelopes sent to a Doppler.', VERSION),
    droppedEgress: metrics.counter(
      'dropped',
      'Envelopes thrown away, the oldest first: the Dopplers took too few.',
      { ...VERSION, direction: 'egress' },
    ),
    unconfirmed: metrics.counter(
      'unconfirmed',
      'Envelopes sent on a stream that broke: the most that may not have arrived.',
      VERSION,
    ),
    malformed: metrics.counter('malformed', MALFORMED, VERSION),
    malformedV1: metrics.counter('malformed', MALFORMED, VERSION_1),
    filtered: metrics.counter(
      'filtered',
      'Logs thrown away because LOGS_DISABLED is set.',
      VERSION,
    ),
    originMappings: metrics.counter(
      'origin_mappings',
      'Envelopes without a source id that got their origin for one.',
      { ...VERSION, unit: 'bytes/minute' },
    ),
    totalsForgotten: metrics.counter(
      'totals_forgotten',
      'Counters whose totals were forgotten for others: they start again at zero.',
      VERSION,
    ),
    dopplerStreams: metrics.gauge('doppler_v2_streams', 'Streams to Dopplers.', {
      labels: VERSION,
    }),
    averageSize,
  };
}

const SLOT_MS = 10_000;
const SLOTS = 6;

/** The mean of what was added in the last minute, to ten seconds. */
export class AverageSize {
  readonly #clock: Clock;
  readonly #bytes = new Float64Array(SLOTS);
  readonly #counts = new Float64Array(SLOTS);
  #slot = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#slot = Math.floor(clock.now() / SLOT_MS);
  }

  add(count: number, bytes: number): void {
    const index = this.#turn();
    this.#bytes[index] = (this.#bytes[index] ?? 0) + bytes;
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }

  /** Bytes per envelope; 0 when there were none. */
  get value(): number {
    this.#turn();
    const count = sum(this.#counts);
    return count === 0 ? 0 : sum(this.#bytes) / count;
  }

  /** The index of the slot of this moment, with the slots between emptied. */
  #turn(): number {
    const now = Math.floor(this.#clock.now() / SLOT_MS);
    for (let passed = Math.min(now - this.#slot, SLOTS); passed > 0; passed -= 1) {
      const index = (now - passed + 1) % SLOTS;
      this.#bytes[index] = 0;
      this.#counts[index] = 0;
    }
    this.#slot = Math.max(now, this.#slot);
    return this.#slot % SLOTS;
  }
}

function sum(numbers: Float64Array): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
