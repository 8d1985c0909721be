import test from 'ava';
import { events, loggregator } from '../gen/messages.js';
import { contents, double, field, fieldsInOrder, number } from './testing-wire.ts';

test('what is written by field numbers is what protobufjs reads', (t) => {
  const timestamp = 1_700_000_000_123_456_789n;
  const bytes = Buffer.concat([
    number(1, timestamp),
    field(2, 'ä'),
    field(5, field(1, 'x'), number(2, 300), number(3, 2n ** 64n - 1n)),
  ]);
  const { source_id, counter, ...rest } = loggregator.v2.Envelope.decode(bytes);
  t.is(String(rest.timestamp), String(timestamp));
  t.is(source_id, 'ä');
  t.deepEqual([counter?.name, String(counter?.delta)], ['x', '300']);
  t.is(String(counter?.total), '18446744073709551615');

  const metric = field(9, field(1, 'm'), double(2, -0.5), field(3, 'u'));
  const v1 = Buffer.concat([field(1, 'o'), number(2, 6), number(6, -1), metric]);
  const decoded = events.Envelope.decode(v1);
  t.is(decoded.valueMetric?.value, -0.5);
  t.is(String(decoded.timestamp), '-1');
});

test('fields are told in the order of their numbers, those of one number in their own', (t) => {
  const fields = [field(9, 'b'), number(1, 300), double(4, 1), field(9, 'a')];
  const [b, one, four, a] = fields.map((bytes) => bytes.toString('hex'));
  t.deepEqual(fieldsInOrder(Buffer.concat(fields)), [one, four, b, a] as string[]);
});

test('the contents of the fields of one number are told apart', (t) => {
  const message = Buffer.concat([field(1, 'a'), double(2, 1), number(3, 300), field(1, 'b')]);
  t.deepEqual(contents(message, 1).map(String), ['a', 'b']);
});
