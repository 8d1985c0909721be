/** Paths that are written in a roundabout way, and the redirect to the plain one, as Go's mux does. */

import type { Context } from 'koa';

/** The path without empty, `.` and `..` segments; a slash at its end stays. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/') ? path : `/${path}`;
  if (!/\/(?:\.{0,2})(?:\/|$)/.test(rooted.slice(0, -1)) && !/\/\.{1,2}$/.test(rooted)) {
    return rooted;
  }
  const segments: string[] = [];
  for (const segment of rooted.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const clean = `/${segments.join('/')}`;
  return rooted.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

export function redirect(ctx: Context, path: string): void {
  // A browser would take `/\host` for another host.
  const plain = path.replaceAll('\\', '%5C');
  const url = ctx.search === '' ? plain : `${plain}${ctx.search}`;
  ctx.status = 301;
  ctx.set('Location', url);
  ctx.set('Content-Type', 'text/html; charset=utf-8');
  const isRead = ctx.method === 'GET' || ctx.method === 'HEAD';
  ctx.body = isRead ? `<a href="${escapeHtml(url)}">Moved Permanently</a>.\n\n` : '';
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;')
    .replaceAll("'", '&#39;');
}
