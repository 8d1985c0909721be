/**
 * What an app is: a command that runs as so many instances, and who it is in the pipeline. The
 * fields are what a Cloud Foundry app has, and their names are those of the tags and metrics that
 * they end up in.
 */

import { createHash } from 'node:crypto';

export interface App {
  readonly name: string;
  /** The source id of all it logs. */
  readonly guid: string;
  /** A line for /bin/sh. */
  readonly command: string;
  readonly instances: number;
  /** Where it runs; an absolute path. */
  readonly directory: string;
  /** Whether the directory is the app's own, so that its size is the app's use of disk. */
  readonly ownsDirectory: boolean;
  /** PORT of instance 0; that of instance i is i higher. Undefined: any free port. */
  readonly port: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly processType: string;
  readonly organizationName: string;
  readonly organizationId: string;
  readonly spaceName: string;
  readonly spaceId: string;
  readonly memoryQuotaBytes: number;
  readonly diskQuotaBytes: number;
  /** Bytes of log a second that an instance may write; undefined is no limit, 0 is none at all. */
  readonly logRateLimitBytes: number | undefined;
}

/** The GUID, and so the source id, of an app that is given none. */
export function appGuid(name: string): string {
  return guidOf(`app/${name}`);
}

const SHA1_VERSION = 0x50;
const RFC_VARIANT = 0x80;

/**
 * The GUID of something that has only a name: the same in every process and at every start, so
 * that a source id stays what it was. A version 5 UUID, as RFC 9562 lays it out.
 */
export function guidOf(name: string): string {
  const hash = createHash('sha1').update(`standpipe/${name}`).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | SHA1_VERSION, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | RFC_VARIANT, 8);
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
