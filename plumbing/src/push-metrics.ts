/**
 * Sends a process's metrics to a statsd injector over UDP: counters as what was added since the
 * last time (`|c`), gauges as they are (`|g`), labels and the process's tags as tags.
 *
 * What a counter gained is forgotten only when the socket took the datagram without an error;
 * until then it waits and goes with the next push. UDP tells no more than that: a datagram that
 * reaches nobody is lost. When nobody listens, nothing fails and one line in ten seconds says so.
 */

import { StatsD } from 'hot-shots';
import { parseAddress } from './address.ts';
import type { Log } from './log.ts';
import type { Metrics, Series } from './metrics.ts';

/** The most bytes of a datagram, so that it fits an Ethernet frame. */
const DATAGRAM_BYTES_MAX = 1400;

/** How long the last push may take on the way out. */
const CLOSE_LIMIT_MS = 500;

/** One push goes on and one waits; with another, the one that waits says the same. */
const WAITING_MAX = 1;

export interface PushOptions {
  /** `host:port` of a statsd injector. */
  readonly address: string;
  readonly intervalMs: number;
  readonly log?: Log;
}

/** What is needed of hot-shots. */
export interface StatsdClient {
  increment(name: string, value: number, tags: Record<string, string>): void;
  gauge(name: string, value: number, tags: Record<string, string>): void;
  /** Sends what was added since the last flush; calls back when the socket has taken it. */
  flush(callback: (error?: Error) => void): void;
  close(callback: () => void): void;
}

export function pushMetrics(metrics: Metrics, options: PushOptions): AsyncDisposable {
  const { log, intervalMs } = options;
  const address = parseAddress(options.address);
  if (address === undefined) throw new Error(`${options.address} is not HOST:PORT`);
  const onError = (error: Error): void => {
    const fields = { error: error.message };
    log?.limited('push-metrics', 'warn', fields, `metrics do not reach ${options.address}`);
  };
  const client = new StatsD({
    host: address.host,
    port: address.port,
    prefix: `${metrics.origin}.`,
    globalTags: { ...metrics.tags },
    maxBufferSize: DATAGRAM_BYTES_MAX,
    cacheDns: true,
    includeDataDogTags: false, // Those come from the environment, which only a config.ts reads.
    errorHandler: onError,
  });
  return new MetricsPusher(metrics, { client, intervalMs, onError });
}

/** Exported for its test. */
export class MetricsPusher implements AsyncDisposable {
  readonly #metrics: Metrics;
  readonly #client: StatsdClient;
  readonly #timer: NodeJS.Timeout;
  readonly #onError: (error: Error) => void;
  /** What each counter was when its last datagram was taken. */
  readonly #sent = new WeakMap<Series, number>();
  #pushing: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(
    metrics: Metrics,
    options: {
      readonly client: StatsdClient;
      readonly intervalMs: number;
      readonly onError: (error: Error) => void;
    },
  ) {
    this.#metrics = metrics;
    this.#client = options.client;
    this.#onError = options.onError;
    this.#timer = setInterval(() => this.push(), options.intervalMs);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await within(CLOSE_LIMIT_MS, this.push());
    await within(
      CLOSE_LIMIT_MS,
      new Promise<void>((resolve) => this.#client.close(() => resolve())),
    );
  }

  /** Pushes now, one push after the other, so that no gain is sent twice. */
  push(): Promise<void> {
    if (this.#waiting >= WAITING_MAX) return this.#pushing;
    this.#waiting += 1;
    this.#pushing = this.#pushing.then(() => this.#pushOnce());
    return this.#pushing;
  }

  async #pushOnce(): Promise<void> {
    this.#waiting -= 1;
    let datagram: Series[] = [];
    let bytes = 0;
    for (const series of this.#metrics.series()) {
      const estimate = this.#bytesOf(series);
      if (bytes + estimate > DATAGRAM_BYTES_MAX) {
        await this.#send(datagram);
        datagram = [];
        bytes = 0;
      }
      datagram.push(series);
      bytes += estimate;
    }
    await this.#send(datagram);
  }

  /** Sends one datagram and notes what went with it. */
  async #send(datagram: readonly Series[]): Promise<void> {
    const values = new Map<Series, number>();
    for (const series of datagram) {
      const { name, type, value } = series;
      if (!Number.isFinite(value)) continue;
      const tags = { ...series.labels };
      if (type === 'gauge') {
        this.#client.gauge(name, value, tags);
        continue;
      }
      const gained = value - (this.#sent.get(series) ?? 0);
      if (gained === 0) continue;
      this.#client.increment(name, gained, tags);
      values.set(series, value);
    }
    const error = await new Promise<Error | undefined>((resolve) => {
      this.#client.flush((failure) => resolve(failure));
    });
    if (error) this.#onError(error);
    else for (const [series, value] of values) this.#sent.set(series, value);
  }

  /** No fewer bytes than the line takes, so that hot-shots never sends before it is told to. */
  #bytesOf(series: Series): number {
    let bytes = this.#metrics.origin.length + series.name.length + 40;
    for (const labels of [this.#metrics.tags, series.labels]) {
      for (const [name, value] of Object.entries(labels)) {
        bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
      }
    }
    return bytes;
  }
}

async function within(limitMs: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  try {
    await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
