/**
 * The README's long examples, as they stand there: kernels that are built, storms of the default
 * size, every kernel in turn. An hour; `npm run test:readme`.
 */
import { readdirSync, symlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCacheDir } from '../../emulator/guest/paths.js';
import { ensureKernel, type Kernel } from '../../images/index.js';
import { whereOf } from './cases.js';
import { ROOT, readmeExamples } from './examples.js';
import { Reader } from './reader.js';

let reader: Reader;
let kernel: Kernel;

beforeAll(async () => {
  reader = await Reader.install();
  const options = { cacheDir: defaultCacheDir(), progress: () => {} };
  kernel = await ensureKernel('source-6.1', options);
  await reader.must('command -v stress-ng');
  await writeFile(join(reader.folder, 'my-swap-work.patch'), await patch());
  // A build folder: the cache's own must not be written to.
  for (const name of readdirSync(kernel.buildDir)) {
    symlinkSync(join(kernel.buildDir, name), join(reader.folder, name));
  }
  await writeFile(join(reader.folder, 'my-test'), '#!/bin/sh\necho my test in $(uname -r)\n', {
    mode: 0o755,
  });
}, 60 * 60_000);
afterAll(() => reader[Symbol.asyncDispose]());

/** A comment in mm/swapfile.c. */
async function patch(): Promise<string> {
  const [first] = (await readFile(join(kernel.buildDir, 'mm/swapfile.c'), 'utf8')).split('\n');
  const place = ['--- a/mm/swapfile.c', '+++ b/mm/swapfile.c', '@@ -1,1 +1,2 @@'];
  return `${[...place, ` ${first}`, '+/* my swap work */'].join('\n')}\n`;
}

const commands = readmeExamples()
  .filter(({ language, text }) => language === 'sh' && whereOf(text) === 'slow')
  .map(({ text }) => text);

describe('a long example', () => {
  it.each(commands)('%s', async (line) => {
    // npm's own scripts are the checkout's.
    const cwd = line.startsWith('npm ') ? ROOT : reader.folder;
    const outcome = await reader.must(line, { cwd });
    if (/^(npm start|npx tmem storm)/.test(line)) {
      expect(outcome.stdout).toMatch(/verdict +ok: every page came back right/);
    }
    if (line.includes('my-test')) expect(outcome.stdout).toBe(`my test in ${kernel.release}\n`);
  });

  it('the package is installed from its tarball, with what it needs from the registry', async () => {
    await using other = new Reader();
    await other.must(`npm pack --ignore-scripts --pack-destination ${other.folder}`, { cwd: ROOT });
    await other.must('npm init -y && npm install --no-audit --no-fund ./qemu-tmem-*.tgz');
    expect((await other.must('npx tmem run -- echo it runs')).stdout).toBe('it runs\n');
  });
});
