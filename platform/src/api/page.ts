/**
 * Lists a page at a time, as versions 3 and 2 of Cloud Controller's API cut them. Each page names
 * its neighbours by a link that keeps the rest of the query.
 */

import { badQuery } from './api-error.ts';

/** How a version of the API calls and limits what it cuts by. */
interface Paging {
  readonly sizeName: string;
  readonly sizeTold: string;
  readonly sizeDefault: number;
  readonly sizeMax: number;
}

const V3: Paging = { sizeName: 'per_page', sizeTold: 'Per page', sizeDefault: 50, sizeMax: 5000 };
const V2: Paging = {
  sizeName: 'results-per-page',
  sizeTold: 'results-per-page',
  sizeDefault: 50,
  sizeMax: 100,
};
const PAGE_MAX = 1_000_000_000;

interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly pages: number;
  readonly page: number;
  /** The query of another page. */
  readonly queryOf: (page: number) => string;
}

export interface List<T> {
  readonly items: readonly T[];
  readonly query: URLSearchParams;
  /** What stands before the `?` of links. */
  readonly path: string;
  readonly present: (item: T) => object;
}

/** Throws an ApiError. */
export function pageV3<T>({ items, query, path, present }: List<T>): object {
  const page = pageOf(items, query, V3);
  const link = (number: number): object => ({ href: `${path}?${page.queryOf(number)}` });
  return {
    pagination: {
      total_results: page.total,
      total_pages: page.pages,
      first: link(1),
      last: link(page.pages),
      next: page.page < page.pages ? link(page.page + 1) : null,
      previous: page.page > 1 ? link(Math.min(page.page - 1, page.pages)) : null,
    },
    resources: page.items.map(present),
  };
}

/** Throws an ApiError. */
export function pageV2<T>({ items, query, path, present }: List<T>): object {
  const page = pageOf(items, query, V2);
  const link = (number: number): string => `${path}?${page.queryOf(number)}`;
  return {
    total_results: page.total,
    total_pages: page.pages,
    prev_url: page.page > 1 ? link(Math.min(page.page - 1, page.pages)) : null,
    next_url: page.page < page.pages ? link(page.page + 1) : null,
    resources: page.items.map(present),
  };
}

function pageOf<T>(items: readonly T[], query: URLSearchParams, paging: Paging): Page<T> {
  const { sizeName, sizeTold, sizeDefault, sizeMax } = paging;
  const size = countIn(query, {
    name: sizeName,
    told: sizeTold,
    fallback: sizeDefault,
    max: sizeMax,
  });
  const page = countIn(query, { name: 'page', told: 'Page', fallback: 1, max: PAGE_MAX });
  return {
    items: items.slice((page - 1) * size, page * size),
    total: items.length,
    pages: Math.max(1, Math.ceil(items.length / size)),
    page,
    queryOf: (number) => {
      const other = new URLSearchParams(query);
      other.set('page', String(number));
      other.set(sizeName, String(size));
      return other.toString();
    },
  };
}

function countIn(
  query: URLSearchParams,
  options: {
    readonly name: string;
    readonly told: string;
    readonly fallback: number;
    readonly max: number;
  },
): number {
  const { name, told, fallback, max } = options;
  const text = query.get(name);
  if (text === null || text === '') return fallback;
  const count = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= max) return count;
  throw badQuery(`${told} must be between 1 and ${max}`);
}
