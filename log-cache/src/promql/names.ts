/** How metrics and labels are called. */

export const METRIC_NAME = '__name__';
export const SOURCE_ID = 'source_id';
export const INSTANCE_ID = 'instance_id';
/** The bound of a histogram's bucket. */
export const BUCKET_BOUND = 'le';

/** A metric's name as PromQL can write it: what it has no room for becomes an underscore. */
export function sanitised(name: string): string {
  return name.replace(/^[^a-zA-Z_]/u, '_').replaceAll(/[^a-zA-Z0-9_]/gu, '_');
}

/** Whether a query could write this label's name without quotes. */
export function isLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
}
