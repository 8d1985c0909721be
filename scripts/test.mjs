/**
 * Runs the tests and ends with `N passed, N failed`.
 *
 *     npm test                         all
 *     npm test -- 'doppler/dist/**'    some: what follows goes to AVA as it is
 *
 * AVA's own reporter is for people at a terminal; its TAP has exact counts, so TAP is read here
 * and what failed is printed with its diagnosis.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const LINES_KEPT = 100;

const root = fileURLToPath(new URL('..', import.meta.url));
const ava = spawn(
  process.execPath,
  ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...process.argv.slice(2)],
  { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
);
// What tests write to stderr matters when one has failed, and then only the last of it.
let said = [];
createInterface({ input: ava.stderr }).on('line', (line) => {
  if (said.push(line) > 2 * LINES_KEPT) said = said.slice(-LINES_KEPT);
});
const ended = new Promise((resolve) => ava.on('close', resolve));

let passed = 0;
let failed = 0;
let isDiagnosis = false;

for await (const line of createInterface({ input: ava.stdout })) {
  if (line.startsWith('ok ')) {
    passed += 1;
    isDiagnosis = false;
  } else if (line.startsWith('not ok ')) {
    failed += 1;
    isDiagnosis = true;
  } else if (/^(#|1\.\.|TAP )/.test(line)) {
    isDiagnosis = isDiagnosis && line.startsWith('#');
  }
  if (isDiagnosis) process.stdout.write(`${line}\n`);
  else if (line.startsWith('ok ') && passed % 100 === 0)
    process.stdout.write(`${passed} passed …\n`);
}

const status = await ended;
if (status !== 0 && failed === 0) failed += 1;
if (failed > 0)
  process.stdout.write(
    `\nThe last that was written to stderr:\n${said.slice(-LINES_KEPT).join('\n')}\n`,
  );
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = status ?? 1;
