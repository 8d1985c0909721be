import test from 'ava';
import { ApiError } from './api-error.ts';
import { pageV2, pageV3 } from './page.ts';

const ITEMS = Array.from({ length: 5 }, (_, n) => n);

test('version 3 cuts lists, and each page names its neighbours with the rest of the query', (t) => {
  t.deepEqual(v3('names=a&page=2&per_page=2'), {
    pagination: {
      total_results: 5,
      total_pages: 3,
      first: { href: 'http://b/v3/x?names=a&page=1&per_page=2' },
      last: { href: 'http://b/v3/x?names=a&page=3&per_page=2' },
      next: { href: 'http://b/v3/x?names=a&page=3&per_page=2' },
      previous: { href: 'http://b/v3/x?names=a&page=1&per_page=2' },
    },
    resources: [{ n: 2 }, { n: 3 }],
  });
});

test('a list on one page has no neighbours, and an empty one has a page', (t) => {
  t.like(v3(''), { pagination: { total_results: 5, total_pages: 1, next: null, previous: null } });
  t.like(pageV3({ items: [], query: new URLSearchParams(), path: '', present: () => ({}) }), {
    pagination: { total_results: 0, total_pages: 1, next: null, previous: null },
    resources: [],
  });
});

test('a page past the last is empty, and leads back', (t) => {
  t.like(v3('page=9&per_page=2'), {
    pagination: { next: null, previous: { href: 'http://b/v3/x?page=3&per_page=2' } },
    resources: [],
  });
});

test('version 2 cuts lists by its own names', (t) => {
  t.deepEqual(v2('results-per-page=2&q=name:a'), {
    total_results: 5,
    total_pages: 3,
    prev_url: null,
    next_url: '/v2/x?results-per-page=2&q=name%3Aa&page=2',
    resources: [{ n: 0 }, { n: 1 }],
  });
});

test('a page size beyond the limit, or none at all, is refused', (t) => {
  t.is((v3('per_page=5000') as { resources: unknown[] }).resources.length, 5);
  for (const query of ['per_page=0', 'per_page=5001', 'per_page=x', 'page=0', 'page=-1']) {
    t.throws(() => v3(query), { instanceOf: ApiError, message: /must be between 1 and/ }, query);
  }
  t.throws(() => v2('results-per-page=101'), { message: /results-per-page must be between 1 and/ });
});

function v3(query: string): object {
  return pageV3({ ...list(query), path: 'http://b/v3/x' });
}

function v2(query: string): object {
  return pageV2({ ...list(query), path: '/v2/x' });
}

function list(query: string) {
  return { items: ITEMS, query: new URLSearchParams(query), present: (n: number) => ({ n }) };
}
