/**
 * The kernel's own tests, built from the source package that `source-...` kernels are built from,
 * and their output read. The source is unpacked for this alone and goes when the programs are
 * built; those stay in the cache, `selftests/<kernel>-<hash>/`, until they are removed.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { kernelCatalogue } from 'qemu-tmem';
import { hashFiles, makeDirAtomic } from '../../images/files.js';
import { buildStep } from '../../images/kernels/build-kernel.js';
import { fetchSource } from '../../images/kernels/source.js';
import { withLock } from '../../images/lock.js';

const BUILD_MS_MAX = 30 * 60_000;

/** Where the tests are in a tree, by programs: Linux 6.3 renamed vm to mm. */
export type Programs = Readonly<Record<string, readonly string[]>>;

async function build(tree: string, programs: Programs, to: string): Promise<void> {
  const make = (...args: string[]): Promise<void> =>
    buildStep('building the kernel’s own tests', ['make', '-C', tree, ...args], BUILD_MS_MAX);
  await make(`-j${availableParallelism()}`, 'headers');
  for (const [folder, names] of Object.entries(programs)) {
    const output = join(tree, '..', folder);
    await mkdir(output, { recursive: true });
    const at = `tools/testing/selftests/${folder}`;
    const where = [`OUTPUT=${output}`, `KHDR_INCLUDES=-isystem ${join(tree, 'usr/include')}`];
    const targets = names.map((name) => join(output, name));
    // Static, as everything of the guest's own is.
    await buildStep(
      `building ${at}`,
      ['make', '-C', join(tree, at), ...where, 'LDFLAGS=-static', ...targets],
      BUILD_MS_MAX,
    );
    for (const target of targets) await copyFile(target, join(to, basename(target)));
    await rm(output, { recursive: true });
  }
}

/** The programs of a kernel's own source package, by what they are built from. */
export interface Selftests {
  /** The kernel's name in the catalogue. */
  readonly kernel: string;
  readonly programs: Programs;
}

/** The folder that holds the programs once they are built. */
export async function selftestsDir(
  { kernel, programs }: Selftests,
  cacheDir: string,
): Promise<string> {
  const hash = await hashFiles(import.meta.dirname, ['kselftest.ts'], [JSON.stringify(programs)]);
  return join(cacheDir, 'selftests', `${kernel}-${hash}`);
}

/** Builds the programs unless they are there: some minutes the first time. */
export async function ensureSelftests(selftests: Selftests, cacheDir: string): Promise<void> {
  const { kernel, programs } = selftests;
  const entry = kernelCatalogue().find(({ name }) => name === kernel);
  if (entry?.kind !== 'source') throw new Error(`${kernel} has no source package`);
  const dir = await selftestsDir(selftests, cacheDir);
  if (existsSync(dir)) return;
  await mkdir(dirname(dir), { recursive: true });
  await withLock(cacheDir, `selftests-${kernel}`, async () => {
    if (existsSync(dir)) return;
    await makeDirAtomic(dir, async (part) => {
      const progress = (line: string): void => console.log(`${kernel}: ${line}`);
      await fetchSource(entry, { cacheDir, mirror: undefined, progress }, part);
      await build(join(part, 'tree'), programs, part);
      await rm(join(part, 'tree'), { recursive: true });
    });
  });
}

/** What a run of a kselftest must be like. */
export interface Expected {
  /** Tests that must be there and pass; more may. */
  readonly passed: readonly RegExp[];
  /** Tests that may be skipped, each for a reason that is known; nothing else may. */
  readonly skipped: readonly RegExp[];
}

/**
 * Problems in what a program printed: in the Test Anything Protocol (`ok 3 name # SKIP why`), or as
 * uffd-unit-tests does (`Testing name... skipped [reason: why]`).
 */
export function problemsIn(output: string, { passed, skipped }: Expected): string[] {
  const lines = output.split('\n');
  const isSkip = (line: string): boolean => /# SKIP|\.\.\. skipped/.test(line);
  const good = lines.filter((line) => /^ok \d+ .|\.\.\. done/.test(line) && !isSkip(line));
  const bad = lines.filter((line) => /^not ok \d+|\.\.\. failed|^Bail out!/.test(line));
  const skips = lines.filter(isSkip);
  return [
    ...bad,
    ...skips.filter((line) => !skipped.some((known) => known.test(line))),
    ...passed
      .filter((wanted) => !good.some((line) => wanted.test(line)))
      .map((wanted) => `no test passed that is called ${wanted}`),
  ];
}

/** How many passed, and why others did not run, in one line. */
export function summaryOf(output: string): string {
  const lines = output.split('\n');
  const skips = lines.filter((line) => /# SKIP|\.\.\. skipped/.test(line));
  const good = lines.filter((line) => /^ok \d+ .|\.\.\. done/.test(line)).length;
  const passed = good - skips.filter((line) => line.startsWith('ok')).length;
  const reasons = new Map<string, number>();
  for (const line of skips) {
    const reason = /(?:# SKIP|reason:)\s*(.*?)\]?$/.exec(line)?.[1] || line;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const told = [...reasons].map(([reason, times]) => `${times} skipped: ${reason}`);
  return [`${passed} passed`, ...told].join('; ');
}
