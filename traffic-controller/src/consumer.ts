/**
 * One websocket consumer: a nozzle on the firehose, or somebody who watches an app. Hot.
 *
 *     Dopplers ──▶ queue ──▶ socket's buffer ──▶ kernel ──▶ client
 *               ▲    │           < socketBytes
 *               └────┘ when the queue is full its streams are not read
 *
 * Nothing is dropped here while the consumer stays. A queue that is full stops the reading of its
 * streams, gRPC's flow control stops the Dopplers, and they drop the oldest and count it: so the
 * count of what a slow reader misses stands in one place. What still waits when a consumer leaves
 * is counted as dropped, with the reason. The queue can be over its limits by one message.
 *
 * All that arrives in one turn of the event loop leaves together, in one write per 64 KiB, and
 * nothing is written while the socket holds socketBytes that the kernel has not taken.
 *
 * Why it may be closed, as Loggregator v107.0.21 does unless it says otherwise:
 * - 1008, the text that clients know: no pong within 30 s after a ping. A ping goes out at once,
 *   and then 15 s after each pong.
 * - 1000: what was written waited 5 s without any of it leaving. Clients take code 1000 for the
 *   verdict on a slow consumer. The original gives no reason and may go on sending; here there is
 *   a reason, and a client that doesn't take the close frame either is cut off.
 * - 1001: this process is ending (the original breaks the connection). What waits is sent first.
 * - whatever the client closed with.
 *
 * Frames from the client are read and thrown away, up to CLIENT_FRAME_BYTES_MAX; past it the code is
 * 1009. Its pings are answered while the socket takes answers: one that only pings and never reads
 * would fill the memory with them.
 */

import type { Duplex } from 'node:stream';
import type { Clock, Counter } from '@standpipe/plumbing';
import { type ServerOptions, WebSocket } from 'ws';
import { FrameQueue, PIECE_BYTES } from './frames.ts';
import type { DoorName, DropReason, TrafficControllerMetrics } from './metrics.ts';
import type { Subscription } from './upstream.ts';

export interface ConsumerLimits {
  /** Envelopes that may wait; at this many the streams are no longer read. */
  readonly queueEnvelopes: number;
  /** The same in bytes. */
  readonly queueBytes: number;
  /** Nothing is written while the socket's own buffer holds this many bytes. */
  readonly socketBytes: number;
  /** From a pong to the next ping. */
  readonly pingAfterMs: number;
  /** From a ping to the verdict, if no pong came. */
  readonly pongWithinMs: number;
  /** How long what was written may wait for the socket. */
  readonly slowAfterMs: number;
  /** From a close frame to cutting the connection. */
  readonly closeWithinMs: number;
}

export const CONSUMER_LIMITS: ConsumerLimits = {
  queueEnvelopes: 1000,
  queueBytes: 1024 * 1024,
  socketBytes: PIECE_BYTES,
  pingAfterMs: 15_000,
  pongWithinMs: 30_000,
  slowAfterMs: 5000,
  closeWithinMs: 5000,
};

/** Who somebody is and what they asked for, for log lines and events. */
export interface Peer {
  readonly door: DoorName;
  /** Path and query. */
  readonly path: string;
  readonly remoteAddress: string;
  /** The header X-Forwarded-For, or ''. */
  readonly forwardedFor: string;
}

export interface ConsumerOptions {
  readonly socket: WebSocket;
  /** The connection under the websocket. */
  readonly connection: Duplex;
  readonly peer: Peer;
  readonly limits: ConsumerLimits;
  readonly metrics: TrafficControllerMetrics;
  readonly clock: Clock;
  readonly onSlow: (peer: Peer) => void;
  readonly onMalformed: (peer: Peer) => void;
}

export const KEEP_ALIVE_TEXT: string =
  'Client did not respond to ping before keep-alive timeout expired.';
export const GOING_AWAY_TEXT: string = 'the Traffic Controller is going away';

/** The longest message that a client may send, in however many frames; nobody reads it. */
const CLIENT_FRAME_BYTES_MAX = 64 * 1024;

/** How the websocket of a consumer must have been made. */
export const WEBSOCKET_OPTIONS: ServerOptions = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: CLIENT_FRAME_BYTES_MAX,
  autoPong: false,
  handleProtocols: () => false,
};

const NORMAL = 1000;
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;

export class Consumer {
  readonly peer: Peer;
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>;
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  readonly #limits: ConsumerLimits;
  readonly #clock: Clock;
  readonly #metrics: TrafficControllerMetrics;
  readonly #egress: Counter;
  readonly #onSlow: (peer: Peer) => void;
  readonly #onMalformed: (peer: Peer) => void;
  readonly #queue = new FrameQueue();

  #subscription: Subscription | undefined;
  #paused = false;
  #scheduled = false;
  #draining = false;
  #dropReason: DropReason = 'disconnected';

  /** Writes that the kernel has not taken, and since when none was taken. */
  #writing = 0;
  #progressAtMs = 0;
  #pingedAtMs: number | undefined;
  #pongedAtMs = 0;
  /** When to cut the connection, once a close frame is on its way. */
  #cutAtMs = Number.POSITIVE_INFINITY;

  constructor(options: ConsumerOptions) {
    this.peer = options.peer;
    this.#socket = options.socket;
    this.#connection = options.connection;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#egress = options.metrics.egress[options.peer.door];
    this.#onSlow = options.onSlow;
    this.#onMalformed = options.onMalformed;

    this.#socket.on('pong', () => {
      this.#pingedAtMs = undefined;
      this.#pongedAtMs = this.#clock.now();
    });
    this.#socket.on('ping', (data: Buffer) => {
      if (this.#open && this.#connection.writableLength < this.#limits.socketBytes) {
        this.#socket.pong(data);
      }
    });
    // A broken frame from the client; the websocket closes by itself, with the code that says so.
    this.#socket.on('error', () => this.#metrics.badFrames.add(1));
    this.gone = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.#leave();
        resolve();
      });
    });
    this.#ping();
  }

  /** Where the envelopes come from: read while there is room, cancelled when the consumer goes. */
  attach(subscription: Subscription): void {
    this.#subscription = subscription;
    if (this.#paused) subscription.pause();
    if (!this.#open) this.#leave();
  }

  /** Takes an encoded BatchResponse. */
  accept(message: Buffer): void {
    const count = this.#queue.put(message);
    if (count < 0) {
      this.#metrics.malformed.add(1);
      this.#onMalformed(this.peer);
      return;
    }
    this.#metrics.ingress.add(count);
    if (!this.#open) {
      this.#leave();
      return;
    }
    if (this.#queue.byteLength >= PIECE_BYTES) this.#write();
    else this.#writeSoon();
    this.#balance();
  }

  /** Looks at the time: pings, and gives up on a client that is silent or slow. */
  tick(): void {
    const nowMs = this.#clock.now();
    if (nowMs >= this.#cutAtMs) {
      this.#socket.terminate();
      return;
    }
    if (!this.#open) {
      // The client has closed, or the connection broke.
      this.#cutAtMs = Math.min(this.#cutAtMs, nowMs + this.#limits.closeWithinMs);
      this.#leave();
      return;
    }
    const { slowAfterMs, pongWithinMs, pingAfterMs } = this.#limits;
    if (this.#writing > 0 && nowMs - this.#progressAtMs >= slowAfterMs) {
      this.#giveUpOnSlow();
    } else if (this.#pingedAtMs !== undefined) {
      if (nowMs - this.#pingedAtMs >= pongWithinMs) this.#giveUpOnSilent();
    } else if (nowMs - this.#pongedAtMs >= pingAfterMs) {
      this.#ping();
    }
  }

  /** Takes nothing more in, sends what waits and says goodbye. */
  drain(): void {
    this.#draining = true;
    this.#subscription?.[Symbol.dispose]();
    this.#write();
    if (this.#queue.count === 0) this.#sayGoodbye();
  }

  /** Ends a drain that takes too long. */
  cut(): void {
    this.#close('shutdown', GOING_AWAY, GOING_AWAY_TEXT);
    this.#socket.terminate();
  }

  get #open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN && !this.#connection.destroyed;
  }

  #writeSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#writeNow);
  }

  readonly #writeNow = (): void => {
    this.#scheduled = false;
    this.#write();
    this.#balance();
  };

  #write(): void {
    while (this.#connection.writableLength < this.#limits.socketBytes && this.#open) {
      const frames = this.#queue.take();
      if (frames === undefined) return;
      if (this.#writing === 0) this.#progressAtMs = this.#clock.now();
      this.#writing += 1;
      this.#egress.add(frames.count);
      // Straight to the connection, past `send`, which would write each frame by itself. The
      // websocket writes its own frames whole and at once (there is no compression for which it
      // would queue them), so the two never mix; after a close frame `#open` stops us.
      this.#connection.write(frames.bytes, this.#written);
    }
  }

  readonly #written = (error?: Error | null): void => {
    this.#writing -= 1;
    if (error) return; // The connection is gone, and its `close` is on the way.
    this.#progressAtMs = this.#clock.now();
    this.#write();
    if (this.#draining && this.#queue.count === 0) this.#sayGoodbye();
    else this.#balance();
  };

  /** Stops or starts the reading of the streams, by how full the queue is. */
  #balance(): void {
    const { queueEnvelopes, queueBytes } = this.#limits;
    const { count, byteLength } = this.#queue;
    if (this.#paused) {
      if (count * 2 > queueEnvelopes || byteLength * 2 > queueBytes) return;
      this.#paused = false;
      this.#subscription?.resume();
    } else if (count >= queueEnvelopes || byteLength >= queueBytes) {
      this.#paused = true;
      this.#subscription?.pause();
    }
  }

  #ping(): void {
    this.#pingedAtMs = this.#clock.now();
    this.#socket.ping();
  }

  #giveUpOnSlow(): void {
    this.#metrics.slowConsumers.add(1);
    this.#onSlow(this.peer);
    const seconds = this.#limits.slowAfterMs / 1000;
    const text = `slow consumer: envelopes waited ${seconds} s for this connection`;
    this.#close('slow_consumer', NORMAL, text);
  }

  #giveUpOnSilent(): void {
    this.#metrics.keepAliveFailures.add(1);
    this.#close('keep_alive', POLICY_VIOLATION, KEEP_ALIVE_TEXT);
  }

  #sayGoodbye(): void {
    if (this.#open) this.#close('shutdown', GOING_AWAY, GOING_AWAY_TEXT);
  }

  #close(reason: DropReason, code: number, text: string): void {
    this.#dropReason = reason;
    this.#cutAtMs = Math.min(this.#cutAtMs, this.#clock.now() + this.#limits.closeWithinMs);
    this.#socket.close(code, text);
    this.#leave();
  }

  #leave(): void {
    this.#subscription?.[Symbol.dispose]();
    this.#drop();
  }

  #drop(): void {
    const count = this.#queue.clear();
    if (count > 0) this.#metrics.dropped[this.#dropReason].add(count);
  }
}
