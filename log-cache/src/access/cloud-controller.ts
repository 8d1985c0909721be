/**
 * What Cloud Controller says about the holder of a token: which apps and service instances he sees.
 *
 *     GET /v3/apps/ID, else /v3/service_instances/ID     200: he may read the source of this id
 *     GET /v3/apps, /v3/service_instances                all that he may read, page after page
 *     GET /v3/apps?names=A,B                             the GUIDs of apps by their names
 *
 * Each reader has a share of what is asked at a time (questions.ts). Whatever goes wrong is a no, told and counted. Links to further pages are followed on Cloud
 * Controller's own address, whatever host they name, for PAGES_MAX pages of a list.
 */

import {
  type Answer,
  type Clock,
  type Gauge,
  type Log,
  type Metrics,
  type Outgoing,
  OutgoingError,
} from '@standpipe/plumbing';
import { cloudControllerFailures, cloudControllerLatencies } from './access-metrics.ts';
import { fieldsIn, objectOf, objectsIn } from './answers.ts';
import { NoTurnError, Questions } from './questions.ts';
import type { Identity } from './tokens.ts';

const PER_PAGE = 5000;
const PAGES_MAX = 200;
const ID_LENGTH_MAX = 512;
/** More names than this make a path that servers refuse. */
const NAMES_LENGTH_MAX = 6000;

/** Of an answer that can not be understood, or says that something went wrong. */
class CloudControllerError extends Error {
  override readonly name = 'CloudControllerError';
}

interface Resource {
  readonly guid: string;
  readonly name: string;
}

/** Who asks: by this token, and as whom. */
type Reader = Pick<Identity, 'token' | 'subject'>;

export interface CloudControllerOptions {
  readonly api: Outgoing;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class CloudController {
  readonly #api: Outgoing;
  readonly #questions: Questions;
  readonly #log: Log;
  readonly #failed: () => void;
  readonly #latencies: Readonly<Record<'apps' | 'serviceInstances' | 'appsByName', Gauge>>;

  constructor(options: CloudControllerOptions) {
    this.#api = options.api;
    this.#questions = new Questions(options.clock);
    this.#log = options.log;
    const failures = cloudControllerFailures(options.metrics);
    this.#failed = () => failures.add(1);
    this.#latencies = cloudControllerLatencies(options.metrics);
  }

  /** Whether there is an app or a service instance of this id that the token's holder sees. */
  async sees(reader: Reader, sourceId: string): Promise<boolean> {
    if (!isId(sourceId)) return false;
    const id = encodeURIComponent(sourceId);
    const isSeen = async (): Promise<boolean> =>
      (await this.#exists(reader, `/v3/apps/${id}`)) ||
      (await this.#exists(reader, `/v3/service_instances/${id}`));
    try {
      return await this.#questions.ask(reader.subject, isSeen);
    } catch (error) {
      this.#tell(error);
      return false;
    }
  }

  /** Everything that the token's holder sees; undefined, if that could not be found out. */
  async sourcesOf(reader: Reader): Promise<ReadonlySet<string> | undefined> {
    const { apps, serviceInstances } = this.#latencies;
    try {
      const lists = await Promise.all([
        this.#list(reader, `/v3/apps?per_page=${PER_PAGE}`, apps),
        this.#list(reader, `/v3/service_instances?per_page=${PER_PAGE}`, serviceInstances),
      ]);
      return new Set(lists.flat().map(({ guid }) => guid));
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  /** The GUIDs of the apps of these names that the token's holder sees; of several, all. */
  async guidsByName(
    reader: Reader,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const guids = new Map<string, string[]>();
    const wanted = names.map((name) => encodeURIComponent(name)).join(',');
    if (names.length === 0 || wanted.length > NAMES_LENGTH_MAX) return guids;
    try {
      const path = `/v3/apps?names=${wanted}&per_page=${PER_PAGE}`;
      for (const { name, guid } of await this.#list(reader, path, this.#latencies.appsByName)) {
        const known = guids.get(name);
        if (known === undefined) guids.set(name, [guid]);
        else known.push(guid);
      }
    } catch (error) {
      this.#tell(error);
    }
    return guids;
  }

  async #exists(reader: Reader, path: string): Promise<boolean> {
    try {
      return (await this.#get(reader, path)).status === 200;
    } catch (error) {
      this.#tell(error);
      return false;
    }
  }

  #list(reader: Reader, path: string, latency: Gauge): Promise<Resource[]> {
    return this.#questions.ask(reader.subject, () => this.#pages(reader, path, latency));
  }

  async #pages(reader: Reader, path: string, latency: Gauge): Promise<Resource[]> {
    const started = performance.now();
    const resources: Resource[] = [];
    let next: string | undefined = path;
    for (let page = 0; next !== undefined; page += 1) {
      if (page === PAGES_MAX) throw new CloudControllerError(`${path} has no end`);
      const { status, body }: Answer = await this.#get(reader, next);
      if (status !== 200) throw new CloudControllerError(`${path} was answered with ${status}`);
      const read = pageIn(body);
      if (read === undefined) throw new CloudControllerError(`${path} gave no list`);
      for (const resource of read.resources) resources.push(resource);
      next = read.next;
    }
    latency.set(Math.round((performance.now() - started) * 1e6));
    return resources;
  }

  #get({ token }: Reader, path: string): Promise<Answer> {
    return this.#api.ask({ method: 'GET', path, headers: { Authorization: `bearer ${token}` } });
  }

  #tell(error: unknown): void {
    if (!isExpected(error)) throw error;
    this.#failed();
    const text = 'Cloud Controller did not say what somebody may read';
    this.#log.limited('cloud-controller', 'warn', { reason: error.message }, text);
  }
}

function isExpected(error: unknown): error is Error {
  return [OutgoingError, CloudControllerError, NoTurnError].some((kind) => error instanceof kind);
}

/** Nothing that would be another path: those of lists are answered to everybody. */
function isId(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && text.length <= ID_LENGTH_MAX;
}

interface Page {
  readonly resources: readonly Resource[];
  /** The path of the next page. */
  readonly next: string | undefined;
}

function pageIn(body: string): Page | undefined {
  const fields = fieldsIn(body);
  const listed = objectsIn(fields?.resources);
  if (listed === undefined) return undefined;
  const resources = listed.map(({ guid, name }) => ({ guid: String(guid), name: String(name) }));
  const href = objectOf(objectOf(fields?.pagination)?.next)?.href;
  if (typeof href !== 'string' || href === '') return { resources, next: undefined };
  if (!URL.canParse(href, 'http://host')) return undefined;
  const { pathname, search } = new URL(href, 'http://host');
  return { resources, next: `${pathname}${search}` };
}
