/**
 * Certificates for tests of TLS itself: of any authority, name, use and validity, in files that can
 * be put in place whole or by halves.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Issued, Issuer } from './issuer.ts';
import type { TlsFiles } from './tls.ts';

const authorities = new Map<string, Promise<Issuer>>();
const issued = new Map<string, Promise<Issued>>();

/** An authority by its name: the same one each time, within one process. */
export function testAuthority(name: string): Promise<Issuer> {
  return remembered(authorities, name, () => Issuer.create(name));
}

/** A certificate by all that is said of it: the same one each time, within one process. */
export function testIssue(
  authority: string,
  name: string,
  options: Omit<Parameters<Issuer['issue']>[0], 'name' | 'hosts'> & {
    /** Tells certificates apart that are otherwise the same. */
    readonly edition?: number;
  } = {},
): Promise<Issued> {
  return remembered(issued, JSON.stringify([authority, name, options]), async () =>
    (await testAuthority(authority)).issue({ ...options, name, hosts: [name] }),
  );
}

/** Files of one identity, in a folder of their own. */
export class PemFolder implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'standpipe-pem-'));
  readonly files: TlsFiles = {
    ca: join(this.folder, 'ca.crt'),
    cert: join(this.folder, 'tls.crt'),
    key: join(this.folder, 'tls.key'),
  };

  /** Writes those that are given, and leaves the others as they are. */
  put(parts: { readonly ca?: string; readonly cert?: string; readonly key?: string }): void {
    for (const [part, text] of Object.entries(parts)) {
      writeFileSync(this.files[part as 'ca' | 'cert' | 'key'], text); // Its type says so.
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
