import test from 'ava';
import { SLICE_BYTES } from '../slice.ts';
import { metaOf } from '../testing.ts';
import { metaBody, proxyMetaBody } from './json.ts';

const info = metaOf({
  count: 2 ** 53 - 1,
  expired: 2 ** 53 - 1,
  oldest: -(2n ** 63n),
  newest: -(2n ** 63n) + 1n,
});

const told = {
  count: '9007199254740991',
  expired: '9007199254740991',
  oldest_timestamp: '-9223372036854775808',
  newest_timestamp: '-9223372036854775807',
};

test('tells of sources whose ids take far more room than most do', async (t) => {
  const ids = Array.from({ length: 5000 }, (_, n) => `${'\x01'.repeat(100)}${10_000 + n}`);
  const body = await metaBody(new Map(ids.map((id) => [id, info])));
  t.true(body.length > 2 * SLICE_BYTES);
  const { meta } = JSON.parse(String(body));
  t.deepEqual(Object.keys(meta), ids);
  t.true(Object.values<unknown>(meta).every((one) => JSON.stringify(one) === JSON.stringify(told)));
});

test('tells of sources with the longest figures in one buffer of about their size', async (t) => {
  const ids = Array.from({ length: 5000 }, (_, n) => `source ${10_000 + n}`);
  const sources = new Map(ids.map((id) => [id, info]));
  for (const body of [await metaBody(sources), await proxyMetaBody(sources)]) {
    t.is(Object.keys(JSON.parse(String(body)).meta).length, ids.length);
    t.true(body.buffer.byteLength < 1.3 * body.length, `${body.buffer.byteLength} bytes`);
    t.is(body.byteOffset, 0);
  }
});
