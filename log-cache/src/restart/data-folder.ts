/**
 * The folder that a log cache keeps its files in: their names, and who owns it.
 *
 *     snapshot             all that the cache held at one time
 *     snapshot.new         the next one, while it is written
 *     snapshot.old         the one before, to be written over
 *     journal-00000007     what was put since, in segments
 *     snapshot.torn        what could not be read, set aside; the next such file takes its place
 *     owner                the process that has the folder
 *
 * Logs may hold secrets: folder and files are for their owner only. Two processes never share a
 * folder: the second is told so. Whether the owner still lives is asked of /proc; where there is
 * none, and from one container to another, it can not be told, and the folder is taken over.
 */

import { constants } from 'node:fs';
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { join } from 'node:path';

const SNAPSHOT = 'snapshot';
const SEGMENT = /^journal-(\d{8,})$/;
const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

/** A folder that another process has. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';

  constructor(path: string, pid: number) {
    super(`${path} belongs to process ${pid}, which is running`);
  }
}

export class DataFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder if need be, and takes it for this process. */
  static async open(path: string): Promise<DataFolder> {
    await mkdir(path, { recursive: true, mode: FOLDER_MODE });
    const owner = join(path, 'owner');
    const [pid, began] = (await textOf(owner)).split(' ');
    const isOther = pid !== undefined && pid !== '' && Number(pid) !== process.pid;
    if (isOther && began !== '' && (await beginOf(Number(pid))) === began) {
      throw new FolderInUseError(path, Number(pid));
    }
    const own = `${process.pid} ${await beginOf(process.pid)}`;
    await writeOver(owner, own).catch((error: unknown) => {
      // What is there can be read without a mark as well.
      if (!isFull(error)) throw error;
    });
    return new DataFolder(path);
  }

  get snapshot(): string {
    return join(this.path, SNAPSHOT);
  }

  get newSnapshot(): string {
    return join(this.path, `${SNAPSHOT}.new`);
  }

  get oldSnapshot(): string {
    return join(this.path, `${SNAPSHOT}.old`);
  }

  segment(number: number): string {
    return join(this.path, `journal-${String(number).padStart(8, '0')}`);
  }

  /** All segments of the journal with their sizes, in the order of their numbers. */
  async segments(): Promise<Map<number, number>> {
    const names = await readdir(this.path);
    const numbers = names.flatMap((name) => SEGMENT.exec(name)?.slice(1).map(Number) ?? []);
    const sizes = new Map<number, number>();
    for (const number of numbers.sort((a, b) => a - b)) {
      sizes.set(number, (await stat(this.segment(number))).size);
    }
    return sizes;
  }

  /**
   * Puts a file out of the way, and says where it is. What was read of a torn one is nowhere else yet:
   * it keeps its name as well, until the next takes that.
   */
  async setAside(path: string, why: 'foreign' | 'torn' | 'late'): Promise<string> {
    const aside = `${path.replace(/-\d+$/, '')}.${why}`;
    if (why === 'torn') {
      await this.remove(aside);
      const isLinked = await link(path, aside).then(
        () => true,
        () => false,
      );
      if (isLinked) return aside;
    }
    await rename(path, aside);
    return aside;
  }

  /**
   * Makes the new snapshot the snapshot: all of it, or it stays as it was. The old one is kept when
   * there will be a next: to write over a file takes a fraction of what a new one takes.
   */
  async adoptSnapshot(options: { readonly keepOld: boolean }): Promise<void> {
    await this.remove(this.oldSnapshot);
    // Without an old one, or on a file system without links, the next is a new file.
    if (options.keepOld) await link(this.snapshot, this.oldSnapshot).catch(() => {});
    await rename(this.newSnapshot, this.snapshot);
    const handle = await open(this.path, 'r');
    await handle.sync().finally(() => handle.close());
  }

  /**
   * The file that the next snapshot is to be written to, whatever is in it. It has no other name: a
   * kill, or a rename that fails, may leave what is called old or new as a second one of the snapshot.
   */
  async openNewSnapshot(): Promise<FileHandle> {
    await rename(this.oldSnapshot, this.newSnapshot).catch(() => {});
    const flags = constants.O_WRONLY | constants.O_CREAT;
    const handle = await open(this.newSnapshot, flags, FILE_MODE);
    try {
      if ((await handle.stat()).nlink <= 1) return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    await this.remove(this.newSnapshot);
    return open(this.newSnapshot, flags | constants.O_EXCL, FILE_MODE);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(join(this.path, 'owner'), { force: true });
  }
}

/** Without emptying the file first, because a full disk would not give it back what it had. */
async function writeOver(path: string, text: string): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
  try {
    await handle.write(text, 0);
    await handle.truncate(text.length); // A number and digits: a byte for each letter.
  } finally {
    await handle.close();
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** When a process began, in the kernel's ticks; '' if there is none, or no way to tell. */
async function beginOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program stands in parentheses, and may hold blanks.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function isFull(error: unknown): boolean {
  const isCoded = error instanceof Error && 'code' in error;
  return isCoded && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
