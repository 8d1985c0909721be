/**
 * Why a process did not start, in the words that a person needs: a file that will not do is told with
 * the settings that name it.
 */

import { TlsError } from './certificates.ts';

export function startErrorText(error: unknown, vars: Readonly<NodeJS.ProcessEnv>): string {
  const text = error instanceof Error ? error.message : String(error);
  const file = fileOf(error);
  if (!file) return text;
  const names = Object.keys(vars).filter((name) => vars[name] === file);
  return names.length === 0 ? text : `${names.toSorted().join(', ')}: ${text}`;
}

/** The file that an error is about; those of the file system name it, too. */
function fileOf(error: unknown): string | undefined {
  if (error instanceof TlsError) return error.file;
  const isNamed = error instanceof Error && 'path' in error && typeof error.path === 'string';
  return isNamed ? String(error.path) : undefined;
}
