/**
 * Who may read what in a secure local pipeline: the users, clients and apps of
 * examples/platform.yml, and the programs that the user named, beside the example apps.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseDocument, type YAMLSeq } from 'yaml';

const EXAMPLE = fileURLToPath(new URL('../../../examples/platform.yml', import.meta.url));

export async function writePlatformFile(
  path: string,
  apps: readonly { readonly name: string }[],
): Promise<void> {
  const platform = parseDocument(await readFile(EXAMPLE, 'utf8'));
  // The file is our own: its first space is that of the example apps.
  const local = platform.getIn(['organizations', 0, 'spaces', 0, 'apps']) as YAMLSeq;
  for (const { name } of apps) local.add(platform.createNode({ name }));
  await writeFile(path, platform.toString());
}
