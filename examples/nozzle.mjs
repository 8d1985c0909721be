// Prints all that comes through: [TOKEN=…] node nozzle.mjs [ws://HOST:PORT] [SUBSCRIPTION]
import { events } from '@standpipe/protos';
import { WebSocket } from 'ws';

const [url = 'ws://127.0.0.1:8081', subscription = 'example'] = process.argv.slice(2);
const { TOKEN } = process.env;
const headers = TOKEN ? { Authorization: `bearer ${TOKEN}` } : {};
if (!URL.canParse(url) || !/^wss?:/.test(url)) {
  console.error(`not an address like ws://127.0.0.1:8081: ${url}`);
  process.exit(1);
}
const socket = new WebSocket(new URL(`/firehose/${subscription}`, url), { headers });
socket.on('message', (frame) => {
  const { origin, logMessage: log, ...metric } = events.Envelope.decode(frame);
  const { valueMetric: value, counterEvent: counter, containerMetric: used } = metric;
  if (log)
    console.log(
      'log',
      metric.tags.app_name ?? log.app_id,
      log.source_type,
      log.source_instance,
      `${log.message}`,
    );
  if (value) console.log('value', origin, value.name, value.value, value.unit);
  if (counter) console.log('counter', origin, counter.name, `+${counter.delta}`);
  if (used) console.log('container', used.applicationId, used.instanceIndex, used.cpuPercentage);
});
socket.on('close', (code) => console.error('closed', code));
socket.on('error', ({ message }) => {
  console.error(message);
  process.exitCode = 1;
});
process.stdout.on('error', () => process.exit()); // `| head` has seen enough.
