/** What a request may see, which whoever let it in leaves at it for the routes. */

import type { Context } from 'koa';

export interface View {
  /** The sources that there are for this request; undefined is all. */
  readonly sources: ReadonlySet<string> | undefined;
  /** Whose it is, where shares are counted; undefined, where that plays no part. */
  readonly client?: string;
}

/** Undefined: nobody asked whose request it is. */
export function viewOf(ctx: Context): View | undefined {
  return ctx.state.logCacheView as View | undefined; // Nobody else writes it.
}

export function setView(ctx: Context, view: View): void {
  ctx.state.logCacheView = view;
}

/** Whose request it is: by its token or, where none is asked for, by its address. */
export function clientOf(ctx: Context): string {
  return viewOf(ctx)?.client ?? ctx.req.socket.remoteAddress ?? '';
}

/** Whether a request may see this source. */
export function isVisible(sourceId: string, view: View | undefined): boolean {
  return view?.sources?.has(sourceId) ?? true;
}

/** Those of what is told by source id that a request may see: the very same map, if that is all. */
export function visible<V>(
  sources: ReadonlyMap<string, V>,
  view: View | undefined,
): ReadonlyMap<string, V> {
  const seen = view?.sources;
  if (seen === undefined) return sources;
  const shown = new Map<string, V>();
  for (const id of seen) {
    const told = sources.get(id);
    if (told !== undefined) shown.set(id, told);
  }
  return shown;
}
