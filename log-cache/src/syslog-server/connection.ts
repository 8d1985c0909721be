/**
 * One sender's connection: what it brings becomes envelopes, until it ends or breaks the rules.
 *
 *     what came                                       counted             the connection
 *     a message that becomes an envelope              ingress             stays
 *     one that is well formed, but makes none         invalid_ingress     stays
 *     one that is not RFC 5424, or is framed badly    invalid_ingress     is closed; by line feeds it stays
 *     an end within a message, or without any byte    invalid_ingress     is closed
 *     no whole message for the idle time              as above, if cut    is closed
 *     the most of what waits, and all is too much     invalid_ingress     is closed
 *
 * Nothing is sent back, and a sender that is too fast meets TCP's flow control only as long as this
 * process has no time to read: an envelope never waits for its destination here.
 */

import type { Socket } from 'node:net';
import type { Log } from '@standpipe/plumbing';
import type { SyslogEnvelope } from './envelope.ts';
import { createFramer, type Framer } from './framing.ts';
import type { SyslogMessage } from './message.ts';
import type { SyslogServerMetrics } from './metrics.ts';

/** What all connections share. */
export interface ConnectionContext {
  readonly byLineFeeds: boolean;
  readonly messageBytesMax: number;
  readonly idleMs: number;
  readonly message: SyslogMessage;
  readonly envelope: SyslogEnvelope;
  readonly metrics: SyslogServerMetrics;
  readonly log: Log;
  readonly emit: (envelope: Buffer) => void;
  /**
   * Changes by so many bytes what all connections hold. When that is too much, it closes those that
   * hold the most, which may be this one.
   */
  readonly hold: (bytes: number) => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #framer: Framer;
  readonly #peer: string;
  readonly #idle: NodeJS.Timeout;
  #held = 0;
  #hasBytes = false;
  #isClosed = false;
  #quiet: NodeJS.Immediate | undefined;

  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#framer = createFramer(context);
    this.#peer = socket.remoteAddress ?? '';
    this.#idle = setTimeout(() => this.end(), context.idleMs);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.end());
    socket.on('error', () => this.end());
    socket.on('close', () => this.end());
  }

  /** The memory that it holds for a message that is not all there. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Closes it for what it holds. */
  giveWay(): void {
    if (this.#isClosed) return;
    this.#refuse('it held the most of what waits for the rest of its message');
    this.#close();
  }

  /** Counts what is not all there, and closes. */
  end(): void {
    if (this.#isClosed) return;
    this.#framer.quiet(this.#onMessage);
    if (this.#isClosed) return; // What was left of it broke the rules, and was counted.
    if (!this.#hasBytes) this.#refuse('a connection without a message');
    else if (this.#framer.pendingBytes > 0) this.#refuse('a message that is cut off');
    this.#close();
  }

  #take(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#hasBytes = true;
    const mistake = this.#framer.push(chunk, this.#onMessage);
    if (this.#isClosed) return;
    if (mistake !== '') {
      this.#refuse(mistake);
      this.#close();
      return;
    }
    this.#hold();
    if (this.#context.byLineFeeds && this.#framer.pendingBytes > 0 && !this.#isClosed) {
      this.#quiet ??= setImmediate(() => this.#onQuiet());
    }
  }

  #hold(): void {
    const change = this.#framer.heldBytes - this.#held;
    this.#held += change;
    this.#context.hold(change);
  }

  #onQuiet(): void {
    this.#quiet = undefined;
    if (this.#isClosed) return;
    this.#framer.quiet(this.#onMessage);
    if (!this.#isClosed) this.#hold();
  }

  /** Says whether there may be more. */
  readonly #onMessage = (bytes: Buffer, start: number, end: number): boolean => {
    const { message, envelope, metrics, emit, byLineFeeds } = this.#context;
    const malformed = message.read(bytes, start, end);
    if (malformed !== '') {
      this.#refuse(`no RFC 5424: ${malformed}`);
      if (!byLineFeeds) this.#close();
      return byLineFeeds;
    }
    this.#idle.refresh();
    const made = envelope.write(message);
    if (made === undefined) {
      this.#refuse(envelope.mistake);
      return true;
    }
    metrics.ingress.add(1);
    emit(made);
    return true;
  };

  #refuse(mistake: string): void {
    const { metrics, log } = this.#context;
    metrics.invalidIngress.add(1);
    log.limited('invalid', 'warn', { peer: this.#peer, mistake }, 'a syslog message is of no use');
  }

  #close(): void {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    clearImmediate(this.#quiet);
    this.#context.hold(-this.#held);
    this.#held = 0;
    this.#socket.destroy();
  }
}
