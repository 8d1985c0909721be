/** What the routes of UAA and Cloud Controller have in common. */

import type { Context } from 'koa';
import type { PlatformMetrics } from './metrics.ts';
import type { Model } from './model.ts';
import type { SigningKey } from './signing-key.ts';
import type { Tokens } from './tokens.ts';

export interface PlatformContext {
  /** Who and what there is now. */
  readonly model: () => Model;
  readonly tokens: Tokens;
  readonly key: SigningKey;
  readonly metrics: PlatformMetrics;
  /** The origin that links in an answer name. */
  readonly originOf: (ctx: Context) => string;
}
