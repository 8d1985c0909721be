/** Where from 0 to 1 a series stands when `limit_ratio` draws a part of all: always the same. */

import { hashBytes } from '@standpipe/protos';

export function sampleOffset(key: string): number {
  const bytes = Buffer.from(key);
  return hashBytes(bytes, 0, bytes.length) / 2 ** 32;
}
