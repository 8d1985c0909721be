/**
 * For tests: a real Prometheus with given series in it, as the oracle of what queries mean.
 *
 * Blocks are made of OpenMetrics text by promtool, so the samples are there when the server is up.
 * It listens on a free loopback port, scrapes nothing, and ends with its folder.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const BINARY = '/usr/bin/prometheus';
const PROMTOOL = '/usr/bin/promtool';
const STOP_MS = 5000;

/** One series: its name and labels as they are written, and its samples by their second. */
export interface OracleSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [second: number, value: number])[];
}

export function hasPrometheus(): boolean {
  return existsSync(BINARY);
}

export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(url: string, folder: string, process: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#process = process;
  }

  static async start(series: readonly OracleSeries[]): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'standpipe-prometheus-'));
    const samples = join(folder, 'samples.txt');
    const config = join(folder, 'prometheus.yml');
    const data = join(folder, 'data');
    await writeFile(samples, openMetrics(series));
    await writeFile(config, 'global: {evaluation_interval: 1m}\n');
    const blocks = ['tsdb', 'create-blocks-from', 'openmetrics', samples, data];
    await promisify(execFile)(PROMTOOL, blocks);
    const port = await freePort();
    const child = spawn(
      BINARY,
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data}`,
        '--storage.tsdb.retention.time=100y',
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    return new Prometheus(`http://127.0.0.1:${port}`, folder, child);
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/-/ready`)).ok;
    } catch {
      return false; // It doesn't listen yet.
    }
  }

  async ask(path: string, params: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(params),
    });
    return response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      const stubborn = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(stubborn);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function openMetrics(series: readonly OracleSeries[]): string {
  const lines: string[] = [];
  for (const name of new Set(series.map((one) => one.name))) {
    lines.push(`# TYPE ${name} unknown`);
    for (const { labels, samples } of series.filter((one) => one.name === name)) {
      const inner = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      for (const [second, value] of samples) {
        lines.push(`${name}{${inner.join(',')}} ${numberText(value)} ${second}`);
      }
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
