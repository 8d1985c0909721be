/** Why a query has no answer, in Prometheus' words. */

import type { Span } from './ast.ts';

/** How Prometheus classes what went wrong. */
export type ErrorType = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal';

export class QueryError extends Error {
  override readonly name: string = 'QueryError';
  readonly type: ErrorType;

  constructor(type: ErrorType, message: string, options?: ErrorOptions) {
    super(message, options);
    this.type = type;
  }
}

/** The text is no PromQL. The message begins with line and column, both from one, in bytes. */
export class ParseError extends QueryError {
  override readonly name = 'ParseError';

  constructor(text: string, at: number, reason: string) {
    super('bad_data', `${positionOf(text, at)} parse error: ${reason}`);
  }
}

/** A mistake at a place of a text that whoever catches it knows. */
export class Mistake extends Error {
  override readonly name = 'Mistake';
  readonly at: number;

  constructor(span: Pick<Span, 'from'> | number, reason: string) {
    super(reason);
    this.at = typeof span === 'number' ? span : span.from;
  }
}

/** What the query asks for can't be done with the data that is there. */
export function failed(message: string): QueryError {
  return new QueryError('execution', message);
}

export function badData(message: string): QueryError {
  return new QueryError('bad_data', message);
}

function positionOf(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1)) + 1;
  return `${line}:${column}:`;
}
