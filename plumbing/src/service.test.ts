import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { eventually } from './testing.ts';

const SERVICE_URL: string = new URL('./service.js', import.meta.url).href;
const LIFECYCLE_URL: string = new URL('./lifecycle.js', import.meta.url).href;
const ENV_URL: string = new URL('./env.js', import.meta.url).href;

/** Something that keeps the process until it is disposed of. */
const HELD = 'const held = setInterval(() => {}, 1000);';
const READY = "process.stderr.write('ready\\n');";

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`drains at ${signal} and ends by itself`, async (t) => {
    const { child, stderr } = start(
      t,
      `await run(async () => {
        ${HELD} ${READY}
        return { async [Symbol.asyncDispose]() {
          await new Promise((resolve) => setTimeout(resolve, 20));
          clearInterval(held);
          process.stderr.write('drained\\n');
        } };
      });`,
    );
    await eventually(() => stderr().includes('ready'));
    child.kill(signal);
    t.deepEqual(await once(child, 'exit'), [0, null]);
    t.is(stderr(), 'ready\ndrained\n');
  });
}

test('is ready when it has started, and no longer once it drains', async (t) => {
  const { child, stderr } = start(
    t,
    `const { lifecycleState } = await import('${LIFECYCLE_URL}');
    const tell = () => process.stderr.write(lifecycleState() + '\\n');
    tell();
    await run(async (stop) => {
      ${HELD} tell();
      setImmediate(tell);
      stop.addEventListener('abort', tell);
      return { async [Symbol.asyncDispose]() { clearInterval(held); } };
    });`,
  );
  await eventually(() => stderr() === 'ready\nstarting\nready\n');
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
  t.is(stderr(), 'ready\nstarting\nready\ndraining\n');
});

test('tells a start that it should stop, and drains what it started', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async (stop) => {
      ${HELD} ${READY}
      await new Promise((resolve) => stop.addEventListener('abort', resolve));
      return { async [Symbol.asyncDispose]() {
        clearInterval(held);
        process.stderr.write('drained\\n');
      } };
    });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
  t.is(stderr(), 'ready\ndrained\n');
});

test('prints every bad setting, and ends with 1', async (t) => {
  const { child, stderr } = start(
    t,
    `const { Env } = await import('${ENV_URL}');
    await run(async () => {
      const env = new Env({ ROUTER_PROT: '1' });
      env.count('ROUTER_PORT', { min: 0, max: 1 });
      env.text('ROUTER_CA_FILE', {});
      env.done();
    });`,
  );
  t.deepEqual(await once(child, 'exit'), [1, null]);
  t.is(
    stderr(),
    'bad settings:\n' +
      '  - ROUTER_PORT must be set\n' +
      '  - ROUTER_CA_FILE must be set\n' +
      '  - ROUTER_PROT is no setting; did you mean ROUTER_PORT?\n',
  );
});

test('ends with 1 when it cannot start, though something was opened', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD}
      throw new Error('the port is in use');
    });`,
  );
  t.deepEqual(await once(child, 'exit'), [1, null]);
  t.is(stderr(), 'the port is in use\n');
});

test('ends with 1 when it cannot drain', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD} ${READY}
      return { async [Symbol.asyncDispose]() {
        clearInterval(held);
        throw new Error('could not flush');
      } };
    });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [1, null]);
  t.is(stderr(), 'ready\ncould not flush\n');
});

test('takes the signals of one keystroke for one', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD} ${READY}
      return { async [Symbol.asyncDispose]() {
        const enough = new Promise((resolve) => process.once('SIGUSR2', resolve));
        process.stderr.write('draining\\n');
        await enough;
        clearInterval(held);
        process.stderr.write('drained\\n');
      } };
    });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGINT');
  await eventually(() => stderr().includes('draining'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR2'] as const) child.kill(signal);
  t.deepEqual(await once(child, 'exit'), [0, null]);
  t.is(stderr(), 'ready\ndraining\ndrained\n');
});

test('is cut short by a second SIGINT', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD} ${READY}
      return { async [Symbol.asyncDispose]() {
        process.stderr.write('draining\\n');
        await new Promise(() => {});
      } };
    });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGINT');
  await eventually(() => stderr().includes('draining'));
  await eventually(() => {
    child.kill('SIGINT');
    return child.exitCode !== null;
  });
  t.is(child.exitCode, 2);
});

test('is cut off when draining outlasts its limit', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD} ${READY}
      return { async [Symbol.asyncDispose]() { await new Promise(() => {}); } };
    }, { drainLimitMs: 50 });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [2, null]);
  t.regex(stderr(), /draining took longer than 50 ms/);
});

test('is cut off by the limit of the service itself, once that has started', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD} ${READY}
      return { drainLimitMs: 70, async [Symbol.asyncDispose]() { await new Promise(() => {}); } };
    }, { drainLimitMs: 60_000 });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [2, null]);
  t.regex(stderr(), /draining took longer than 70 ms/);
});

test('is cut off when something that nobody closed keeps it', async (t) => {
  const { child, stderr } = start(
    t,
    `await run(async () => {
      ${HELD} ${READY}
      return { async [Symbol.asyncDispose]() {} };
    }, { drainLimitMs: 50 });`,
  );
  await eventually(() => stderr().includes('ready'));
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [2, null]);
});

for (const [name, bug] of [
  ['an exception', "setImmediate(() => { throw new Error('impossible'); });"],
  ['a rejection', "void Promise.reject(new Error('impossible'));"],
] as const) {
  test(`is ended by ${name} that nobody handles`, async (t) => {
    const { child, stderr } = start(
      t,
      `await run(async () => {
        ${HELD} ${bug}
        return { async [Symbol.asyncDispose]() {} };
      });`,
    );
    t.deepEqual(await once(child, 'exit'), [3, null]);
    t.regex(stderr(), /^a bug ended this process: Error: impossible\n\s+at /);
  });
}

function start(t: ExecutionContext, script: string): { child: ChildProcess; stderr: () => string } {
  const source = `import { run } from '${SERVICE_URL}';\n${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { child, stderr: () => text };
}
