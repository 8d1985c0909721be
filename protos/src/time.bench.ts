/**
 * The forms in which a timestamp could be held: read from a varint, kept in a column, compared.
 *
 *     npm run bench -- time
 *
 * The columns of a Batch hold two words because of this.
 */

import { Bench } from 'tinybench';
import { encodeVarint64 } from './varint.ts';

export const unit = 'timestamp';
export const perRun = 1000;

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const bytes = Buffer.alloc(16);
  const length = encodeVarint64(bytes, 0, 399_500_000, 1_234_567_890);
  const words = new Int32Array(2000);
  const bigs = new BigInt64Array(1000);
  const doubles = new Float64Array(2000);
  let newest = 0;

  suite.add('two words', () => {
    for (let row = 0; row < 1000; row += 1) {
      readWords(bytes, length, words, row * 2);
      if (row > 0 && (words[row * 2] as number) > (words[row * 2 - 2] as number)) newest = row;
    }
  });
  suite.add('a BigInt', () => {
    for (let row = 0; row < 1000; row += 1) {
      bigs[row] = readBigInt(bytes, length);
      if (row > 0 && (bigs[row] as bigint) > (bigs[row - 1] as bigint)) newest = row;
    }
  });
  suite.add('microseconds and a rest, as doubles', () => {
    for (let row = 0; row < 1000; row += 1) {
      readWords(bytes, length, words, 0);
      const nanoseconds = (words[0] as number) * 4294967296 + ((words[1] as number) >>> 0);
      doubles[row * 2] = Math.floor(nanoseconds / 1000);
      doubles[row * 2 + 1] = nanoseconds % 1000;
      if (row > 0 && (doubles[row * 2] as number) > (doubles[row * 2 - 2] as number)) newest = row;
    }
  });
  suite.addEventListener('complete', () => {
    if (newest < 0) throw new Error('never');
  });
  return suite;
}

function readWords(bytes: Buffer, length: number, into: Int32Array, at: number): void {
  let low = 0;
  let high = 0;
  for (let index = 0; index < length; index += 1) {
    const bits = (bytes[index] as number) & 0x7f;
    if (index < 4) low |= bits << (7 * index);
    else if (index === 4) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (7 * index - 32);
  }
  into[at] = high;
  into[at + 1] = low;
}

function readBigInt(bytes: Buffer, length: number): bigint {
  let value = 0n;
  for (let index = 0; index < length; index += 1) {
    value |= BigInt((bytes[index] as number) & 0x7f) << BigInt(7 * index);
  }
  return BigInt.asIntN(64, value);
}
