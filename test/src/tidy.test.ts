/**
 * What the architecture promises, checked against the tree.
 *
 * docs/architecture.md draws these arrows; Biome refuses an import that package.json does not
 * declare; this test refuses a package.json that declares an arrow that was never drawn.
 */

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';

/** Who may import whom: whatever is not here may not. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  protos: [],
  plumbing: [],
  'metric-emitter': ['plumbing', 'protos'],
  platform: ['plumbing'],
  'log-cache': ['plumbing', 'protos'],
  agents: ['plumbing', 'protos'],
  doppler: ['log-cache', 'metric-emitter', 'plumbing', 'protos'],
  'traffic-controller': ['log-cache', 'metric-emitter', 'plumbing', 'protos'],
  'reverse-log-proxy': ['metric-emitter', 'plumbing', 'protos'],
  'syslog-adapter': ['plumbing', 'protos'],
  test: ['agents', 'plumbing', 'protos'],
};

/** A module past this length holds a second thing. */
const LINES_MAX = 400;

const ROOT = new URL('../../', import.meta.url);

for (const [name, allowed] of Object.entries(ARROWS)) {
  test(`${name} imports ${allowed.join(', ') || 'nothing of ours'}`, async (t) => {
    const manifest = await json(`${name}/package.json`);
    const declared = Object.keys(manifest.dependencies ?? {})
      .filter((dependency) => dependency.startsWith('@standpipe/'))
      .map((dependency) => dependency.slice('@standpipe/'.length));
    t.deepEqual(declared.toSorted(), allowed);

    const { references } = await json(`${name}/tsconfig.json`);
    const referenced = references.map(({ path }: { path: string }) => path.replace('../', ''));
    t.deepEqual(referenced.toSorted(), allowed, 'tsconfig.json must reference the same packages');
  });
}

test('every workspace has its arrows here, and is built', async (t) => {
  const { workspaces } = await json('package.json');
  t.deepEqual(workspaces.toSorted(), [...Object.keys(ARROWS), 'examples'].toSorted());
  const { references } = await json('tsconfig.json');
  const built = references.map(({ path }: { path: string }) => path);
  t.deepEqual(built.toSorted(), Object.keys(ARROWS).toSorted());
});

test('the shell of each start script gives way to the process, which then hears of signals itself', async (t) => {
  const { scripts } = await json('package.json');
  const starts = Object.entries<string>(scripts).filter(([name]) => /^start(:|$)/.test(name));
  t.true(starts.length > 10);
  for (const [name, command] of starts) t.regex(command, /^([A-Z_]+=\S+ )*exec node /, name);
});

test('plumbing never says "envelope"', async (t) => {
  for (const path of (await sources('plumbing')).filter(isNoTest)) {
    t.false((await text(path)).toLowerCase().includes('envelope'), path);
  }
});

test(`no module is longer than ${LINES_MAX} lines`, async (t) => {
  for (const name of Object.keys(ARROWS)) {
    for (const path of (await sources(name)).filter(isNoTest)) {
      const lines = (await text(path)).split('\n').length - 1;
      t.true(lines <= LINES_MAX, `${path} has ${lines} lines`);
    }
  }
});

test('every module says first what it is for', async (t) => {
  for (const name of Object.keys(ARROWS)) {
    for (const path of (await sources(name)).filter(needsHeader)) {
      t.true((await text(path)).startsWith('/**'), path);
    }
  }
});

test('only config modules and the ends of the pipeline read the environment', async (t) => {
  const allowed = /\/(config|log|service|start|rsyslog|process)\.ts$|\.test\.ts$|\/testing\.ts$/;
  for (const name of Object.keys(ARROWS)) {
    for (const path of (await sources(name)).filter((path) => !allowed.test(path))) {
      t.false((await text(path)).includes('process.env'), path);
    }
  }
});

test('no page has the marks of a merge that nobody finished', async (t) => {
  const names = await readdir(new URL('docs/', ROOT), { recursive: true });
  const pages = names.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  t.true(pages.length > 10);
  for (const path of [...pages, 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'STYLE.md']) {
    t.notRegex(await text(path), /^(?:<{7}|={7}|>{7})(?: |$)/m, path);
  }
});

test('every test that docs/compatibility.md names is there', async (t) => {
  const page = await text('docs/compatibility.md');
  const named = [...page.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+\.test\.ts)\)/g)];
  t.true(named.length > 50);
  for (const [, title = '', path = ''] of named) {
    t.true((await text(path)).includes(title), `${path}: ${title}`);
  }
});

test('every setting that a process reads is documented', async (t) => {
  const documented = await text('docs/operating.md');
  const read =
    /env\s*\.(?:text|count|flag|list|map|duration|address|addresses|optional)\(\s*'([A-Z0-9_]+)'/g;
  for (const name of Object.keys(ARROWS)) {
    for (const path of (await sources(name)).filter((path) => !path.endsWith('.test.ts'))) {
      for (const [, setting = ''] of (await text(path)).matchAll(read)) {
        t.true(documented.includes(`\`${setting}\``), `${path}: ${setting}`);
      }
    }
  }
});

function isNoTest(path: string): boolean {
  return !path.endsWith('.test.ts');
}

function needsHeader(path: string): boolean {
  return !/(\.test|\/index|\/main)\.ts$/.test(path);
}

async function sources(workspace: string): Promise<string[]> {
  const names = await readdir(new URL(`${workspace}/src/`, ROOT), { recursive: true });
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${workspace}/src/${name}`);
}

async function text(path: string): Promise<string> {
  return readFile(fileURLToPath(new URL(path, ROOT)), 'utf8');
}

// biome-ignore lint/suspicious/noExplicitAny: what a manifest holds is checked by the assertions.
async function json(path: string): Promise<any> {
  return JSON.parse(await text(path));
}
