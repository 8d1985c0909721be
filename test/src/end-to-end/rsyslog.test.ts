/**
 * A real rsyslogd takes what an app prints. Runs where rsyslogd is installed; where REQUIRE_RSYSLOG
 * is set, it must be.
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@standpipe/plumbing/testing';
import { numberOf } from '@standpipe/protos/testing';
import test from 'ava';
import { Numbers } from '../numbers.ts';
import { freePorts } from '../ports.ts';
import { hasRsyslog, Rsyslog } from '../rsyslog.ts';
import { testPipeline } from '../testing.ts';

const GUID = '0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6';
const COUNT = 300;

const whereInstalled = hasRsyslog() || process.env.REQUIRE_RSYSLOG ? test : test.skip;

whereInstalled('an app’s lines stand in rsyslog’s file, each exactly once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-rsyslog-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const portOf = await freePorts(['rsyslog']);
  const rsyslog = await Rsyslog.start({ folder, port: portOf('rsyslog') });
  t.teardown(() => rsyslog[Symbol.asyncDispose]());

  // A drain has no past: the app says `ready` until that has come through, and then counts.
  const go = join(folder, 'go');
  const wait = `until [ -e ${go} ]; do echo ready; sleep 0.2; done`;
  const count = `i=0; while [ $i -lt ${COUNT} ]; do echo "line $i"; i=$((i+1)); done`;
  await testPipeline(t, {
    apps: [{ name: 'drained', guid: GUID, command: `${wait}; ${count}; sleep 60` }],
    bindings: [
      {
        url: `syslog://127.0.0.1:${rsyslog.port}`,
        credentials: [{ apps: [{ hostname: 'acme.dev.drained', app_id: GUID }] }],
      },
    ],
  });
  await eventually(async () => (await content(rsyslog.file)).includes('ready'));
  await writeFile(go, '');

  const numbers = await eventually(async () => {
    const found = numbersIn(await content(rsyslog.file));
    return found.size === COUNT && found;
  });
  t.deepEqual(numbers.missing(COUNT), []);
  t.deepEqual(numbers.repeated(), []);
  const line = (await content(rsyslog.file)).split('\n').find((text) => text.includes('line 0'));
  t.regex(
    line ?? '',
    new RegExp(` ${GUID} \\[APP/PROC/WEB/0\\] \\[tags@47450 .*app_name="drained"`),
  );
});

function numbersIn(text: string): Numbers {
  const numbers = new Numbers();
  for (const [line] of text.matchAll(/line \d+$/gm)) numbers.add(numberOf(Buffer.from(line)));
  return numbers;
}

async function content(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
