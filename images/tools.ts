/**
 * The guest's own programs: init (with the agent) from images/guest/, one program for each folder
 * of images/workloads/, and busybox. All but busybox are static. Compiled programs are cached under
 * a hash of their sources.
 *
 * busybox is one that looks for programs in PATH, so that what `--with` brings comes before its own
 * program of that name, in its shell, `env` and `xargs` alike. Debian's static one is built to look
 * at its own first (FEATURE_SH_STANDALONE, FEATURE_PREFER_APPLETS), the other one is not; that one
 * takes this machine's C library along, and where it cannot run, the static one is taken.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { PrivateApt } from './apt.js';
import { ImagesError } from './errors.js';
import { hashFiles, imagesSourceDir, listFiles, makeDirAtomic, withWorkDir } from './files.js';
import { withLock } from './lock.js';
import type { Progress } from './progress.js';
import { lastLines, run } from './run.js';

const COMPILE_TIMEOUT_MS = 3 * 60_000;
const EXTRACT_TIMEOUT_MS = 60_000;
const CFLAGS = ['-static', '-O2', '-std=gnu11', '-Wall', '-Wextra'];
const MACHINE_BUSYBOX = '/bin/busybox';
const PROBE_TIMEOUT_MS = 10_000;
/** What the program in PATH ends with that has the name of busybox's. */
const PROBE_CODE = 42;
const BUSYBOX_SUITE = 'bookworm';
/** ELF-64: program header type of the dynamic linker's name; static programs have none. */
const PT_INTERP = 3;

export interface GuestTools {
  /** PID 1 and guest agent. */
  init: string;
  busybox: string;
  /** Whether busybox runs a program of PATH that has the name of one of its own. */
  busyboxObeysPath: boolean;
  /** Workloads by program name, for /usr/bin in the guest. */
  programs: ReadonlyMap<string, string>;
}

/** What tmemctl shares with the module, from the images folder. */
const MODULE_HEADER = '../guest-kmod/tmem_ioctl.h';

export interface BuildGuestToolsOptions {
  cacheDir: string;
  /** Base URL of a Debian mirror; used only when the machine has no busybox of its own. */
  mirror?: string;
  progress: Progress;
}

/** Errors: TOOLS_BUILD_FAILED, TOOLS_MISSING, KERNEL_FETCH_FAILED (busybox), LOCK_TIMEOUT. */
export async function buildGuestTools(options: BuildGuestToolsOptions): Promise<GuestTools> {
  const cacheDir = resolve(options.cacheDir);
  const sources = imagesSourceDir();
  const files = await listFiles(sources, (name) => /\.[ch]$/.test(name));
  const mine = files.filter((file) => /^(guest|workloads)\//.test(file));
  const hashed = [...mine, MODULE_HEADER];
  const dir = join(cacheDir, 'tools', await hashFiles(sources, hashed, CFLAGS));
  const names = new Set(mine.flatMap((file) => /^workloads\/([^/]+)\//.exec(file)?.[1] ?? []));
  const programs = [...names];
  if (!existsSync(dir)) {
    options.progress('compiling the guest programs');
    await mkdir(join(cacheDir, 'tools'), { recursive: true });
    const sourcesOf = (folder: string): string[] =>
      mine.filter((file) => dirname(file) === folder && file.endsWith('.c'));
    await makeDirAtomic(dir, async (part) => {
      await compile(sources, sourcesOf('guest'), join(part, 'init'));
      for (const name of programs) {
        await compile(sources, sourcesOf(`workloads/${name}`), join(part, name));
      }
    });
  }
  return {
    init: join(dir, 'init'),
    ...(await findBusybox(cacheDir, options)),
    programs: new Map(programs.map((name) => [name, join(dir, name)])),
  };
}

async function compile(sources: string, files: string[], output: string): Promise<void> {
  const paths = files.map((file) => join(sources, file));
  const result = await run('gcc', [...CFLAGS, '-o', output, ...paths], {
    env: { ...process.env, LC_ALL: 'C' },
    timeoutMs: COMPILE_TIMEOUT_MS,
  });
  if (result.code === 0) return;
  throw new ImagesError(
    'TOOLS_BUILD_FAILED',
    `compiling the guest program ${basename(output)} failed:\n${lastLines(result.output, 20)}\n` +
      'A static C library is needed (Debian: libc6-dev).',
  );
}

type Busybox = Pick<GuestTools, 'busybox' | 'busyboxObeysPath'>;

async function findBusybox(cacheDir: string, options: BuildGuestToolsOptions): Promise<Busybox> {
  if (await obeysPath(MACHINE_BUSYBOX)) return { busybox: MACHINE_BUSYBOX, busyboxObeysPath: true };
  const busybox = await ensureBusybox('busybox', cacheDir, options);
  if (await obeysPath(busybox)) return { busybox, busyboxObeysPath: true };
  const fallback = (await isStaticElf(MACHINE_BUSYBOX))
    ? MACHINE_BUSYBOX
    : await ensureBusybox('busybox-static', cacheDir, options);
  return { busybox: fallback, busyboxObeysPath: false };
}

/** Whether a busybox runs on this machine, and runs a `sort` in PATH rather than its own. */
async function obeysPath(busybox: string): Promise<boolean> {
  if (!existsSync(busybox)) return false;
  const dir = await mkdtemp(join(tmpdir(), 'tmem-busybox-'));
  try {
    await writeFile(join(dir, 'sort'), `#!/bin/sh\nexit ${PROBE_CODE}\n`, { mode: 0o755 });
    const env = { PATH: `${dir}:${process.env.PATH}` };
    const line = `sort; [ $? = ${PROBE_CODE} ] && env sort`;
    const result = await run(busybox, ['sh', '-c', line], { env, timeoutMs: PROBE_TIMEOUT_MS });
    return result.code === PROBE_CODE;
  } catch {
    return false;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The busybox of a Debian package, in the cache. */
async function ensureBusybox(
  name: string,
  cacheDir: string,
  options: BuildGuestToolsOptions,
): Promise<string> {
  const dir = join(cacheDir, 'busyboxes', name);
  const busybox = join(dir, 'busybox');
  if (existsSync(busybox)) return busybox;
  const { progress } = options;
  await withLock(cacheDir, 'busybox', { what: `fetches ${name}`, progress }, async () => {
    if (!existsSync(busybox)) await fetchBusybox(name, cacheDir, dir, options);
  });
  return busybox;
}

async function fetchBusybox(
  name: string,
  cacheDir: string,
  dir: string,
  options: BuildGuestToolsOptions,
): Promise<void> {
  await withWorkDir(cacheDir, async (work) => {
    const { mirror, progress } = options;
    const apt = await PrivateApt.open({ dir: work, suite: BUSYBOX_SUITE, mirror, progress });
    progress(`downloading ${name}`);
    const [deb] = await apt.download([name]);
    await mkdir(dirname(dir), { recursive: true });
    await makeDirAtomic(dir, async (part) => {
      const unpacked = join(work, 'root');
      await run('dpkg-deb', ['-x', deb!, unpacked], { timeoutMs: EXTRACT_TIMEOUT_MS });
      for (const sub of ['bin', 'usr/bin']) {
        const names = existsSync(join(unpacked, sub)) ? await readdir(join(unpacked, sub)) : [];
        if (!names.includes('busybox')) continue;
        await run('cp', [join(unpacked, sub, 'busybox'), part], { timeoutMs: EXTRACT_TIMEOUT_MS });
        await chmod(join(part, 'busybox'), 0o755);
        return;
      }
      throw new ImagesError('TOOLS_MISSING', `the package ${name} holds no busybox`);
    });
  });
}

/** Whether `path` is an x86-64 program that needs no dynamic linker. */
export async function isStaticElf(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(4096);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2) return false;
    const offset = Number(head.readBigUInt64LE(0x20));
    const size = head.readUInt16LE(0x36);
    const count = head.readUInt16LE(0x38);
    if (head.readUInt16LE(0x12) !== 62 || offset + size * count > bytesRead) return false;
    for (let index = 0; index < count; index += 1) {
      if (head.readUInt32LE(offset + index * size) === PT_INTERP) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}
