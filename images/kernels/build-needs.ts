/**
 * What the host must have to build a kernel. The list is build-needs.json, which the bootstrap
 * reads too; users of packaged kernels alone do not need any of it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImagesError } from '../errors.js';
import { imagesSourceDir } from '../files.js';

interface Need {
  readonly program?: string;
  /** File in /usr/include. */
  readonly header?: string;
  /** Debian package that holds it. */
  readonly package: string;
}

/** What is needed and what of it is not there, by the packages' names. */
export interface BuildNeeds {
  readonly packages: readonly string[];
  readonly missing: readonly string[];
}

function isThere(need: Need): boolean {
  if (need.header !== undefined) return existsSync(join('/usr/include', need.header));
  const folders = (process.env.PATH ?? '').split(':');
  return folders.some((folder) => folder !== '' && existsSync(join(folder, need.program!)));
}

export function buildNeeds(): BuildNeeds {
  const file = join(imagesSourceDir(), 'kernels/build-needs.json');
  const needs = JSON.parse(readFileSync(file, 'utf8')) as Need[];
  const names = (list: Need[]): string[] => list.map((need) => need.package);
  return { packages: names(needs), missing: names(needs.filter((need) => !isThere(need))) };
}

/** Errors: TOOLS_MISSING, with the command that installs them. */
export function requireBuildNeeds(kernel: string): void {
  const { missing } = buildNeeds();
  if (missing.length === 0) return;
  throw new ImagesError(
    'TOOLS_MISSING',
    `${kernel} is built on this machine, which lacks what that takes; as root: ` +
      `apt-get install ${missing.join(' ')}`,
  );
}
