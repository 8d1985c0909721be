/**
 * All drains of the adapter, by app; and the way of a batch into them.
 *
 * A batch is scanned once. Each envelope's app is found by the bytes of its source id, and each of
 * the app's drains that wants its kind notes its index; then each drain that noted any takes its
 * part. A drain whose binding stays the same stays open when the others change; one that is
 * unbound is given a while to write what waits for it.
 *
 * A host that is gone can have thousands of drains. When what waits for all of them together costs
 * too much memory, those for which most waits drop the older half of it, and count it.
 *
 * Hot: per envelope one look-up and a note for each drain, per batch and drain one copy.
 */

import { Batch, ByteMap, scanBatch } from '@standpipe/protos';
import type { DrainBinding } from './bindings.ts';
import { Drain, type DrainContext } from './drain.ts';
import { TcpWriter } from './writers/tcp.ts';

/** How long an unbound drain may write what waits for it. */
const UNBIND_LIMIT_MS = 10_000;

/** What may wait for all drains together, in bytes of memory; each has a limit of its own besides. */
const WAITING_BYTES_MAX = 512 * 1024 * 1024;
/** It is added up each time that this part of it has come in. */
const WAITING_CHECKS = 64;

export interface DrainsOptions {
  /** A connection on which nothing was written for so long is closed. */
  readonly idleMs: number;
  /** Default 512 MiB. */
  readonly waitingBytesMax?: number;
}

export class Drains {
  readonly #context: DrainContext;
  readonly #idleMs: number;
  readonly #waitingBytesMax: number;
  #uncheckedBytes = 0;
  readonly #batch = new Batch();
  readonly #touched: Drain[] = [];
  /** By identity; and the same by app, which is what a batch needs. */
  #drains = new Map<string, Drain>();
  #byApp = new ByteMap<Drain[]>();
  /** Those that are unbound and still write. */
  readonly #closing = new Map<Drain, Promise<void>>();

  constructor(context: DrainContext, options: DrainsOptions) {
    this.#context = context;
    this.#idleMs = options.idleMs;
    this.#waitingBytesMax = options.waitingBytesMax ?? WAITING_BYTES_MAX;
  }

  /** Drains that are connected now. */
  get activeCount(): number {
    let count = 0;
    for (const drain of this.#drains.values()) if (drain.isActive) count += 1;
    return count;
  }

  /** Opens the drains that are new and closes those that are gone. */
  bind(bindings: readonly DrainBinding[]): void {
    const drains = new Map<string, Drain>();
    const byApp = new ByteMap<Drain[]>();
    for (const binding of bindings) {
      const drain = this.#drains.get(binding.identity) ?? this.#open(binding);
      drains.set(binding.identity, drain);
      const ofApp = byApp.getString(binding.appId);
      if (ofApp) ofApp.push(drain);
      else byApp.setString(binding.appId, [drain]);
    }
    const gone = [...this.#drains].filter(([identity]) => !drains.has(identity));
    this.#drains = drains;
    this.#byApp = byApp;
    for (const [, drain] of gone) this.#close(drain, UNBIND_LIMIT_MS);
    this.#context.metrics.drains.set(drains.size);
  }

  /** Takes in an encoded EnvelopeBatch. */
  accept(bytes: Buffer): void {
    const batch = this.#batch;
    const { metrics, log } = this.#context;
    if (!scanBatch(bytes, batch)) {
      metrics.malformed.add(1);
      log.limited('malformed', 'error', { reason: batch.mistake }, 'a batch could not be read');
      return;
    }
    metrics.ingress.add(batch.count);
    const touched = this.#touched;
    let unmatched = 0;
    let allDrains = 0;
    for (let index = 0; index < batch.count; index += 1) {
      const drains = this.#byApp.get(
        bytes,
        batch.sourceStart[index] as number, // Below the count, like all indexes here.
        batch.sourceEnd[index] as number,
        batch.sourceHash[index] as number,
      );
      if (drains === undefined) {
        unmatched += 1;
        continue;
      }
      allDrains += drains.length;
      const kind = 1 << (batch.kind[index] as number);
      for (const drain of drains) {
        if ((drain.binding.kinds & kind) !== 0 && drain.pick(index)) touched.push(drain);
      }
    }
    for (const drain of touched) drain.accept(batch);
    touched.length = 0;
    metrics.ingressAllDrains.add(allDrains);
    if (unmatched > 0) metrics.unmatched.add(unmatched);
    this.#uncheckedBytes += bytes.length;
    if (this.#uncheckedBytes >= this.#waitingBytesMax / WAITING_CHECKS) this.#relieve();
  }

  /** Closes all drains; each may write what waits for it until the limit. */
  async close(limitMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const drain of this.#closing.keys()) drain.cut();
    }, limitMs);
    for (const drain of this.#drains.values()) this.#close(drain, limitMs);
    this.#drains.clear();
    this.#byApp.clear();
    await Promise.all(this.#closing.values());
    clearTimeout(cut);
  }

  /** Has the fullest drains drop half of what waits for them, until all together fit. */
  #relieve(): void {
    this.#uncheckedBytes = 0;
    const drains = [...this.#drains.values(), ...this.#closing.keys()];
    let waitingBytes = 0;
    for (const drain of drains) waitingBytes += drain.waitingBytes;
    if (waitingBytes <= this.#waitingBytesMax) return;

    drains.sort((a, b) => b.waitingBytes - a.waitingBytes);
    for (const drain of drains) {
      if (waitingBytes <= this.#waitingBytesMax) return;
      waitingBytes -= drain.waitingBytes;
      drain.dropHalf();
      waitingBytes += drain.waitingBytes;
    }
  }

  #open(binding: DrainBinding): Drain {
    const { hostname, port } = binding.url;
    const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
    const writer = new TcpWriter({ host, port: Number(port), idleMs: this.#idleMs });
    return new Drain(binding, writer, this.#context);
  }

  #close(drain: Drain, limitMs: number): void {
    const cut = setTimeout(() => drain.cut(), limitMs);
    const closing = drain.close().finally(() => {
      clearTimeout(cut);
      this.#closing.delete(drain);
    });
    this.#closing.set(drain, closing);
  }
}
