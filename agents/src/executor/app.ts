/**
 * What an app is: a command that runs as so many instances, and who it is in the pipeline. The
 * fields are what a Cloud Foundry app has, and their names are those of the tags and metrics that
 * they end up in.
 */

import { guidOf } from '@standpipe/plumbing';

export interface App {
  readonly name: string;
  /** The source id of all it logs. */
  readonly guid: string;
  /** A line for /bin/sh. */
  readonly command: string;
  readonly instances: number;
  /** Where it runs; an absolute path. */
  readonly directory: string;
  /**
   * Whether the directory is the app's own, so that its size is the app's use of disk. One in which the app
   * file lies is not.
   */
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
