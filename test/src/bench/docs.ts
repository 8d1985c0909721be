/**
 * Puts generated tables into files of docs/, between markers that stay:
 *
 *     <!-- suite -->
 *     … what is replaced …
 *     <!-- end -->
 */

import { readFile, writeFile } from 'node:fs/promises';

const FOLDER = new URL('../../../docs/', import.meta.url);
const END = '<!-- end -->';

/** Replaces the sections with these names. */
export async function writeDocs(
  name: string,
  sections: Readonly<Record<string, string>>,
): Promise<void> {
  const file = new URL(name, FOLDER);
  let text = await readFile(file, 'utf8');
  for (const [section, content] of Object.entries(sections)) {
    text = withSection(text, section, content);
  }
  await writeFile(file, text);
}

/** The text with what is between the markers of a section replaced. */
export function withSection(text: string, name: string, content: string): string {
  const marker = `<!-- ${name} -->`;
  const start = text.indexOf(marker);
  const end = text.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`there is no section ${name}`);
  return `${text.slice(0, start)}${marker}\n\n${content.trim()}\n\n${text.slice(end)}`;
}
