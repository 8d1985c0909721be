/** Secrets are compared in a time that tells nothing about them. */

import { createHash, timingSafeEqual } from 'node:crypto';

export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

/** Of equal lengths, whatever the secrets' are. */
function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
