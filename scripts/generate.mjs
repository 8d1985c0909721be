/**
 * Generates protos/gen from the .proto files, when one of them (or this script) is newer than what is there.
 *
 * One static module holds all packages, under a root of its own: two modules with the default
 * root would overwrite each other. The comments stay in, since the types are made from them.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const protos = fileURLToPath(new URL('../protos/', import.meta.url));
const output = join(protos, 'gen', 'messages.js');

const sources = readdirSync(protos, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.proto') && !name.startsWith('node_modules'))
  .sort();

if (isStale()) {
  process.stdout.write('Generating the protobuf messages.\n');
  mkdirSync(join(protos, 'gen'), { recursive: true });
  const pbjs = fileURLToPath(new URL('../node_modules/.bin/pbjs', import.meta.url));
  const options =
    '-t static-module -w esm -r standpipe --dts --no-service --no-verify --no-delimited --keep-case';
  const { status } = spawnSync(pbjs, [...options.split(' '), '-p', '.', '-o', output, ...sources], {
    cwd: protos,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}

function isStale() {
  const made = modifiedAt(output);
  const inputs = [...sources.map((name) => join(protos, name)), fileURLToPath(import.meta.url)];
  return inputs.some((path) => modifiedAt(path) > made);
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
