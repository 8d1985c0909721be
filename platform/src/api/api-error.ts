/** What Cloud Controller answers when it refuses, in the shape of its version 3 and of version 2. */

export class ApiError extends Error {
  readonly status: number;
  readonly code: number;
  /** Such as `CF-NotFound`. */
  readonly title: string;

  constructor(status: number, code: number, title: string, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.title = title;
  }

  /** The answer's body on this path. */
  bodyFor(path: string): object {
    const { code, title, message } = this;
    if (path.startsWith('/v3')) return { errors: [{ code, title, detail: message }] };
    return { code, error_code: title, description: message };
  }
}

export function unknownRequest(): ApiError {
  return new ApiError(404, 10_000, 'CF-NotFound', 'Unknown request');
}

export function badQuery(reason: string): ApiError {
  const told = `The query parameter is invalid: ${reason}`;
  return new ApiError(400, 10_005, 'CF-BadQueryParameter', told);
}
