/** Writes all of some bytes to a place in a file: one write may take less, on a disk that fills up. */

import type { FileHandle } from 'node:fs/promises';

export async function writeFully(
  handle: Pick<FileHandle, 'write'>,
  bytes: Buffer,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
