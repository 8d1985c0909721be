/** The token in an Authorization header: clients send `bearer X` in any spelling, or X alone. */
export function bearerToken(authorization: string): string {
  return authorization.trim().replace(/^bearer\s+/i, '');
}
