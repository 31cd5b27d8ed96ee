/**
 * The source of a kernel: Debian's package, unpacked. Files keep the times that the archive gives
 * them, which are older than UNPACKED beside the tree; what is newer was made by a build.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PackageStanza, PrivateApt } from '../apt.js';
import { ImagesError } from '../errors.js';
import { withWorkDir } from '../files.js';
import type { Progress } from '../progress.js';
import { lastLines, run } from '../run.js';
import type { SourceKernel } from './catalogue.js';

/** A file beside the tree, written when that was unpacked. */
export const UNPACKED = 'unpacked';

const UNPACK_TIMEOUT_MS = 10 * 60_000;

export interface FetchSourceOptions {
  cacheDir: string;
  mirror: string | undefined;
  progress: Progress;
}

/** The package with the source in it: the named one, or the one that it depends on. */
async function sourceStanza(apt: PrivateApt, name: string): Promise<PackageStanza> {
  const stanza = await apt.show(name);
  const versioned = /\blinux-source-\d[\d.]*/.exec(stanza.get('Depends') ?? '')?.[0];
  return versioned === undefined ? stanza : apt.show(versioned);
}

async function unpack(deb: string, tree: string): Promise<void> {
  await mkdir(tree, { recursive: true });
  const script =
    'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | ' +
    `tar -xO --wildcards './usr/src/*.tar.xz' | tar -xJ -C "$2" --strip-components=1`;
  const result = await run('bash', ['-c', script, 'unpack', deb, tree], {
    timeoutMs: UNPACK_TIMEOUT_MS,
  });
  if (result.code === 0) return;
  throw new ImagesError(
    'KERNEL_FETCH_FAILED',
    `unpacking the kernel source failed:\n${lastLines(result.output, 5)}\n` +
      'It takes 2 GB in the cache folder: check that its disk is not full, and try again.',
  );
}

/**
 * Downloads the source and unpacks it to `<part>/tree`. Returns the package as `name=version`.
 * Errors: KERNEL_FETCH_FAILED, COMMAND_TIMEOUT.
 */
export async function fetchSource(
  entry: SourceKernel,
  options: FetchSourceOptions,
  part: string,
): Promise<string> {
  const { mirror, progress } = options;
  return withWorkDir(options.cacheDir, async (work) => {
    const apt = await PrivateApt.open({ dir: work, suite: entry.suite, mirror, progress });
    const stanza = await sourceStanza(apt, entry.sourcePackage);
    const name = `${stanza.get('Package')}=${stanza.get('Version')}`;
    progress(`downloading ${name}, ${Math.round(Number(stanza.get('Size')) / 1e6)} MB`);
    const [deb] = await apt.download([name]);
    progress('unpacking the source');
    await unpack(deb!, join(part, 'tree'));
    await writeFile(join(part, UNPACKED), `${name}\n`);
    return name;
  });
}
