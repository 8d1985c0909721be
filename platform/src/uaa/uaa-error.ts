/** What UAA answers when it refuses. */

export class UaaError extends Error {
  readonly status: number;
  /** UAA's word for it, such as `invalid_client`. */
  readonly error: string;
  /** Asks for a client's name and secret. */
  readonly challenge: boolean;

  constructor(
    status: number,
    error: string,
    description: string,
    options: ErrorOptions & { readonly challenge?: boolean } = {},
  ) {
    super(description, options);
    this.name = 'UaaError';
    this.status = status;
    this.error = error;
    this.challenge = options.challenge === true;
  }

  get body(): { readonly error: string; readonly error_description: string } {
    return { error: this.error, error_description: this.message };
  }
}

/** No such client or user, or another secret. */
export function badCredentials(): UaaError {
  return new UaaError(401, 'unauthorized', 'Bad credentials', { challenge: true });
}
