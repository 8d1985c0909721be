/**
 * The two hashes that Loggregator's processes must agree on.
 *
 * XXH64 decides which shard owns a source (log-cache-release v3.2.0); CRC-64/XZ decides which
 * member of a deterministic subscription gets a metric (Loggregator v107.0.21). Tables of our own
 * use `hashBytes`, which is faster and which nobody else needs to know.
 *
 * XXH64 runs in WebAssembly, loaded while this module is imported, and costs about 0.3 µs, most of
 * it the BigInt: remember its result, see sharding.ts. CRC-64 runs on two 32-bit words, costs about
 * 3 ns a byte, and makes a BigInt only where one is asked for.
 */

import assert from 'node:assert/strict';
import xxhash from 'xxhash-wasm';

const { h64, h64Raw } = await xxhash();

/** XXH64 with seed 0; a string is hashed as its UTF-8. */
export function xxh64(source: string | Uint8Array): bigint {
  return typeof source === 'string' ? h64(source) : h64Raw(source);
}

// The polynomial 0x42f0e1eba9ea3693 with its bits reversed: Go's crc64.ECMA.
const POLYNOMIAL_HIGH = 0xc96c5795;
const POLYNOMIAL_LOW = 0xd7870f42;
const TABLE_HIGH = new Uint32Array(256);
const TABLE_LOW = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let high = 0;
  let low = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (odd === 1) {
      high ^= POLYNOMIAL_HIGH;
      low ^= POLYNOMIAL_LOW;
    }
  }
  TABLE_HIGH[byte] = high;
  TABLE_LOW[byte] = low;
}

/** The most that `Crc64Sum.modulo` divides by: products must stay exact in a double. */
const MODULUS_MAX = 2 ** 20;

/**
 * The wrapping sum of the CRC-64/XZ of several names, as the deterministic routing of a gauge
 * takes it; of one name, it is just its CRC. Reused, it allocates nothing.
 */
export class Crc64Sum {
  #high = 0;
  #low = 0;

  reset(): this {
    this.#high = 0;
    this.#low = 0;
    return this;
  }

  add(bytes: Uint8Array, start: number, end: number): this {
    assert(start >= 0 && end <= bytes.length, 'the slice must lie in the bytes');
    let high = -1;
    let low = -1;
    for (let at = start; at < end; at += 1) {
      // Both indexes are in bounds: the slice by the assertion, the table's by the mask.
      const entry = (low ^ (bytes[at] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (TABLE_LOW[entry] as number);
      high = (high >>> 8) ^ (TABLE_HIGH[entry] as number);
    }
    const sum = this.#low + (~low >>> 0);
    this.#low = sum >>> 0;
    this.#high = (this.#high + (~high >>> 0) + (sum > 0xffffffff ? 1 : 0)) >>> 0;
    return this;
  }

  /** The sum modulo the number of members to choose from. */
  modulo(count: number): number {
    assert(Number.isInteger(count) && count >= 1 && count <= MODULUS_MAX, 'too many members');
    return ((this.#high % count) * (2 ** 32 % count) + (this.#low % count)) % count;
  }

  value(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }
}

/** CRC-64/XZ of a slice of bytes. */
export function crc64(bytes: Uint8Array, start = 0, end: number = bytes.length): bigint {
  return new Crc64Sum().add(bytes, start, end).value();
}
