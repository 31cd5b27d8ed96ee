// For tests that start this package as other programs do: compiles it (nothing to do when it is up
// to date) and says where the result is.

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE_FOLDER = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Compile, and return the folder of the compiled files. */
export function built(): string {
  const require = createRequire(import.meta.url);
  const folder = path.dirname(require.resolve('typescript/package.json'));
  const manifest = require('typescript/package.json') as { bin: { tsc: string } };
  const tsc = path.join(folder, manifest.bin.tsc);
  execFileSync(process.execPath, [tsc, '-b', PACKAGE_FOLDER], { timeout: 120_000 });
  return path.join(PACKAGE_FOLDER, 'dist', 'src');
}
