/**
 * Paths as Go's router of Loggregator v107.0.21 reads them: decoded before they are matched, and
 * refused with a redirect when they are not in their shortest form.
 */

const ORIGIN = /^https?:\/\/[^/?#]*/i;

export interface Target {
  /** The path, decoded. */
  readonly path: string;
  /** With its question mark. */
  readonly query: string;
  /** Both as they came. */
  readonly raw: string;
}

/** What a request asks for; undefined if it is no path. */
export function splitTarget(target: string): Target | undefined {
  const own = target.replace(ORIGIN, ''); // A proxy's client writes the whole URL.
  const mark = own.indexOf('?');
  const encoded = mark < 0 ? own : own.slice(0, mark);
  const query = mark < 0 ? '' : own.slice(mark);
  if (!encoded.startsWith('/')) return undefined;
  try {
    return { path: decodeURIComponent(encoded), query, raw: own };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** The shortest path that means the same: no `//`, `.` or `..`; a slash at the end stays. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  if (parts.length === 0) return '/';
  return `/${parts.join('/')}${path.endsWith('/') ? '/' : ''}`;
}

/** A decoded path as it goes into a header. */
export function encodePath(path: string): string {
  return encodeURI(path).replaceAll(/[?#]/g, encodeURIComponent);
}
