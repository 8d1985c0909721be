/**
 * Sends a process's own metrics to the agent beside it, so that they come out of the pipeline like
 * any other: counters as what they gained since the last pulse, zero included, gauges as they are.
 *
 *     Metrics ── every interval ──▶ one Sender stream ──▶ agent, which keeps the totals
 *
 * What a counter gained is forgotten when the connection took it. While there is no agent, gains
 * wait in their counters, which cost nothing, and gauges are not sent. What an agent had not read
 * when it died is lost, and never sent twice: a counter too high is worse than one too low.
 * docs/decisions/self-metrics.md says more, and why one stream is enough.
 *
 * A pulse costs one envelope for each series. It never holds the process up: a stream that
 * does not move for five seconds is broken off.
 */

import { type Client, connectivityState as State } from '@grpc/grpc-js';
import { type Labels, type Log, type Metrics, type Series, systemClock } from '@standpipe/plumbing';
import { type Agent, dialAgent } from './agent.ts';
import { AgentStream } from './agent-stream.ts';
import { counterEnvelope, gaugeEnvelope } from './self-metric.ts';

const STUCK_MS_DEFAULT = 5000;

/** How long the last pulse may take on the way out. */
const LAST_LIMIT_MS = 1000;

export interface EmitOptions {
  readonly agent: Agent;
  readonly sourceId: string;
  /** The tag of that name, such as `loggregator.doppler`. */
  readonly origin: string;
  readonly intervalMs: number;
  readonly log: Log;
  /** Names of metrics that have no tag `metric_version`. */
  readonly unversioned?: readonly string[];
  /** Names of counters that are sent only when they gained something, as alarms are. */
  readonly alarms?: readonly string[];
  /** How long the agent may take over one envelope, before the stream is broken off. Default 5 s. */
  readonly stuckMs?: number;
}

/** Sends all metrics every interval, and once more when it is disposed of. */
export function emitMetrics(metrics: Metrics, options: EmitOptions): AsyncDisposable {
  if (options.agent.address === '') return { [Symbol.asyncDispose]: () => Promise.resolve() };
  return new MetricEmitter(metrics, options);
}

class MetricEmitter implements AsyncDisposable {
  readonly #metrics: Metrics;
  readonly #options: EmitOptions;
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  /** What of each counter an agent was sent. */
  readonly #sent = new WeakMap<Series, number>();
  #stream: AgentStream | undefined;
  #pulsing: Promise<void> | undefined;
  #isWatching = false;
  #isAway = false;
  #isLast = false;
  #isClosed = false;

  constructor(metrics: Metrics, options: EmitOptions) {
    this.#metrics = metrics;
    this.#options = options;
    this.#client = dialAgent(options.agent);
    this.#timer = setInterval(() => this.#tick(), options.intervalMs);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    const done = new AbortController();
    const last = this.#finish().finally(() => done.abort());
    await Promise.race([last, systemClock.sleep(LAST_LIMIT_MS, done.signal)]);
    this.#isClosed = true;
    this.#stream?.cancel();
    this.#client.close();
  }

  #tick(): void {
    if (this.#pulsing === undefined) void this.#pulse();
  }

  async #finish(): Promise<void> {
    await this.#pulsing;
    this.#isLast = true;
    await this.#pulse();
    await this.#stream?.end();
  }

  /** Never two at a time, so that no gain is sent twice. */
  #pulse(): Promise<void> {
    this.#pulsing = this.#sendAll().finally(() => {
      this.#pulsing = undefined;
    });
    return this.#pulsing;
  }

  async #sendAll(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#stream === undefined || this.#stream.isEnding) {
      const { stuckMs = STUCK_MS_DEFAULT } = this.#options;
      this.#stream = new AgentStream(this.#client, stuckMs);
    }
    const stream = this.#stream;
    for (const series of [...this.#metrics.series()]) {
      if (!Number.isFinite(series.value)) continue;
      const isTaken = await (series.type === 'counter'
        ? this.#sendCounter(stream, series)
        : stream.write(gaugeEnvelope(this.#options.sourceId, this.#tagged(series))));
      if (!isTaken) return this.#tellAway(stream);
    }
    this.#tellBack();
    this.#endOnGoodbye();
  }

  /** Counters are whole numbers on the way; a fraction waits until it makes one. */
  async #sendCounter(stream: AgentStream, series: Series): Promise<boolean> {
    const { sourceId, alarms = [] } = this.#options;
    const sent = this.#sent.get(series) ?? 0;
    const delta = Math.floor(series.value - sent);
    if (delta === 0 && alarms.includes(series.name)) return true;
    const isTaken = await stream.write(
      counterEnvelope(sourceId, { ...this.#tagged(series), delta }),
    );
    if (isTaken) this.#sent.set(series, sent + delta);
    return isTaken;
  }

  /** The series with all of its tags; what is said closest to the metric stands. */
  #tagged({ name, labels, unit, value }: Series): Pick<Series, 'name' | 'unit' | 'value'> & {
    readonly tags: Labels;
  } {
    const { origin, unversioned = [] } = this.#options;
    const version = unversioned.includes(name) ? {} : { metric_version: '2.0' };
    return { name, unit, value, tags: { origin, ...version, ...this.#metrics.tags, ...labels } };
  }

  /** When the agent says goodbye, its shutdown need not wait for our stream. */
  #endOnGoodbye(): void {
    if (this.#isWatching || this.#isClosed) return;
    this.#isWatching = true;
    const channel = this.#client.getChannel();
    channel.watchConnectivityState(State.READY, Number.POSITIVE_INFINITY, () => {
      this.#isWatching = false;
      void this.#stream?.end();
    });
  }

  /** Says so once, and not of the last pulse: agents often end before who uses them. */
  #tellAway({ mistake }: AgentStream): void {
    if (this.#isAway || this.#isLast) return;
    this.#isAway = true;
    const { agent, log } = this.#options;
    const fields = { address: agent.address, error: mistake };
    log.limited('metric-emitter', 'warn', fields, 'the agent takes no metrics; gains wait for it');
  }

  #tellBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    const { agent, log } = this.#options;
    log.limited(
      'metric-emitter-back',
      'info',
      { address: agent.address },
      'the agent takes metrics again',
    );
  }
}
