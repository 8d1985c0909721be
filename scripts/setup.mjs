/**
 * Makes a checkout ready to run: installs when the lock file is newer than what is installed, and builds.
 *
 * `npm start` and `npm test` run this first, so that a fresh clone needs nothing else. It needs
 * only Node's own modules, since it runs before any other is there.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NODE_LEAST = [20, 19];

const root = fileURLToPath(new URL('..', import.meta.url));

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NODE_LEAST[0] || (major === NODE_LEAST[0] && minor < NODE_LEAST[1])) {
  process.stderr.write(
    `Standpipe needs Node ${NODE_LEAST.join('.')} or newer; this is ${process.version}.\n`,
  );
  process.exit(1);
}

if (isStale()) {
  say('Installing the dependencies (once; again when package-lock.json changes).');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}
if (!existsSync(`${root}protos/dist/index.js`)) say('Building (once; then only what has changed).');
run(process.execPath, ['scripts/generate.mjs']);
run(process.execPath, ['node_modules/typescript/bin/tsc', '-b']);

/** Whether what npm says it installed differs from what the lock file asks for. */
function isStale() {
  const installed = `${root}node_modules/.package-lock.json`;
  if (!existsSync(installed)) return true;
  const wanted = packagesOf(`${root}package-lock.json`);
  const present = packagesOf(installed);
  return Object.entries(wanted).some(
    ([path, { version, optional, link }]) =>
      path.startsWith('node_modules/') && !link && !optional && present[path]?.version !== version,
  );
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) process.stderr.write(`${command}: ${error.message}\n`);
  if (status !== 0) process.exit(status ?? 1);
}

function say(text) {
  process.stdout.write(`${text}\n`);
}
