/**
 * Why a process did not start, in the words that a person needs: a file that will not do is told with
 * the settings that name it.
 */

import { TlsError } from './certificates.ts';

export function startErrorText(error: unknown, vars: Readonly<NodeJS.ProcessEnv>): string {
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof TlsError)) return text;
  const names = Object.keys(vars).filter((name) => vars[name] === error.file);
  return names.length === 0 ? text : `${names.toSorted().join(', ')}: ${text}`;
}
