/**
 * The GUID of something that has only a name: the same in every process and at every start, so
 * that an app's logs and its entry in Cloud Controller agree, and stay what they were.
 */

import { createHash } from 'node:crypto';

const SHA1_VERSION = 0x50;
const RFC_VARIANT = 0x80;

/** A version 5 UUID, as RFC 9562 lays it out, of names such as `app/NAME` or `space/ORG/NAME`. */
export function guidOf(name: string): string {
  const hash = createHash('sha1').update(`standpipe/${name}`).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | SHA1_VERSION, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | RFC_VARIANT, 8);
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
