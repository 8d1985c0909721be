/**
 * What a syslog message costs until it is an envelope: framing, reading, writing.
 *
 *     npm run bench -- syslog-server
 *
 * Sockets and the sending on are not in it.
 */

import { SyslogEnvelope } from './envelope.ts';
import { createFramer } from './framing.ts';
import { SyslogMessage } from './message.ts';

const MESSAGES = 100;

const HEAD =
  '<14>1 2023-11-14T22:13:20.123456Z host 73467cc3-261a-472e-80e8-d6eadfd30d98 [APP/PROC/WEB/3] -';
const TAGS = {
  app_id: '73467cc3-261a-472e-80e8-d6eadfd30d98',
  app_name: 'shop-frontend',
  deployment: 'cf',
  index: '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f',
  instance_id: '0',
  ip: '10.0.16.24',
  job: 'diego-cell',
  organization_id: '0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6',
  organization_name: 'acme-retail',
  origin: 'rep',
  process_id: '73467cc3-261a-472e-80e8-d6eadfd30d98',
  process_instance_id: 'f9a1d0c2-3b4e-4c5d-6a7b-8c9d',
  process_type: 'web',
  source_type: 'APP/PROC/WEB',
  space_id: '9c8b7a69-5847-4362-9150-4f3e2d1c0b0a',
  space_name: 'production',
};

const sixteen = `[tags@47450 ${Object.entries(TAGS)
  .map(([name, value]) => `${name}="${value}"`)
  .join(' ')}]`;

const cases: readonly [string, string][] = [
  ['a log of 200 bytes without tags', `${HEAD} - ${'x'.repeat(100)}`],
  ['a log with sixteen tags', `${HEAD} ${sixteen} ${'x'.repeat(100)}`],
  ['a gauge with sixteen tags', `${HEAD} [gauge@47450 name="cpu" value="0.23" unit="%"]${sixteen}`],
];

export function main({ seconds }: { readonly seconds: number }): void {
  const message = new SyslogMessage();
  const envelope = new SyslogEnvelope({ trim: true, now: () => 0n });
  for (const [name, text] of cases) {
    const chunk = Buffer.from(`${Buffer.byteLength(text)} ${text}`.repeat(MESSAGES));
    const framer = createFramer({ byLineFeeds: false, messageBytesMax: 66_560 });
    const round = (): void => {
      framer.push(chunk, (from, start, end) => {
        message.read(from, start, end);
        return envelope.write(message) !== undefined;
      });
    };
    for (let warm = 0; warm < 500; warm += 1) round();
    let rounds = 0;
    const before = process.cpuUsage();
    for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
      round();
      rounds += 1;
    }
    const { user, system } = process.cpuUsage(before);
    const each = (user + system) / (rounds * MESSAGES);
    const size = Buffer.byteLength(text);
    process.stdout.write(
      `  ${`${name}, ${size} bytes`.padEnd(50)} ${each.toFixed(2)} CPU-µs per message\n`,
    );
  }
}
