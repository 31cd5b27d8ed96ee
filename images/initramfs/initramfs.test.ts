/**
 * The archive writer and what goes into an archive, read back by busybox's own cpio.
 */
import { execFileSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { imagesSourceDir } from '../files.js';
import type { Kernel } from '../kernels/kernel.js';
import { buildGuestTools, type GuestTools } from '../tools.js';
import { CpioWriter } from './cpio.js';
import { HOST_BYTES_MAX, parseLdd } from './host-paths.js';
import { buildInitramfs } from './initramfs.js';

const KERNEL: Kernel = {
  name: 'none',
  release: '6.1.0',
  image: '',
  buildDir: '',
  config: new Map(),
};

let dir: string;
let count = 0;
let output: string;
let tools: GuestTools;
let kernel = KERNEL;

beforeAll(async () => {
  const cacheDir = join(imagesSourceDir(), '../.cache');
  tools = await buildGuestTools({ cacheDir, progress: () => {} });
  dir = await mkdtemp(join(tmpdir(), 'tmem-initramfs-'));
}, 120_000);

beforeEach(() => {
  count += 1;
  output = join(dir, `${count}.cpio`);
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function busybox(args: string[], archive: string): Buffer {
  const input = execFileSync('cat', [archive], { maxBuffer: 2 ** 30 });
  return execFileSync(tools.busybox, args, { input, maxBuffer: 2 ** 30, stdio: 'pipe', cwd: dir });
}

/** `path` or `path -> target` to what ls -l would show first. */
function list(archive: string): Map<string, string> {
  const lines = busybox(['cpio', '-itv'], archive).toString().trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const match = /^(\S+)\s+\S+\s+(?:\d+(?:, *\d+)?)\s+\S+\s+\S+\s+(.*)$/.exec(line);
      return [match?.[2] ?? line, match?.[1] ?? 'unreadable'];
    }),
  );
}

function content(archive: string, path: string): Buffer {
  return busybox(['cpio', '-i', '--to-stdout', path], archive);
}

function build(withPaths: string[]): Promise<string> {
  return buildInitramfs({
    kernel,
    tools,
    kernelModules: [],
    moduleFiles: [],
    withPaths,
    output,
  });
}

test('entries come out with their type, mode and content', async () => {
  const archive = await CpioWriter.create(output);
  await archive.dir('tmp', 0o1777);
  await archive.file('a/b/file', 'abc', 0o640);
  await archive.symlink('a/link', 'b/file');
  await archive.charDevice('dev/console', 0o600, 5, 1);
  await archive.finish();
  const found = list(output);
  expect(found.get('tmp')).toBe('drwxrwxrwt');
  expect(found.get('a')).toBe('drwxr-xr-x');
  expect(found.get('a/b/file')).toBe('-rw-r-----');
  expect(found.get('a/link -> b/file')).toBe('lrwxrwxrwx');
  expect(found.get('dev/console')).toBe('crw-------');
  expect(content(output, 'a/b/file').toString()).toBe('abc');
});

test('a path through a symlink is stored where that leads, and the first wins', async () => {
  const archive = await CpioWriter.create(output);
  await archive.symlink('lib', 'usr/lib');
  await archive.symlink('usr/lib/deep', '../../opt');
  await archive.file('/lib/deep/file', 'first', 0o644);
  await archive.file('/opt/file', 'second', 0o644);
  expect(archive.has('/usr/lib/deep/file')).toBe(true);
  await archive.finish();
  expect([...list(output).keys()].filter((name) => name.endsWith('file'))).toEqual(['opt/file']);
  expect(content(output, 'opt/file').toString()).toBe('first');
});

test('the same input gives the same bytes', async () => {
  const first = await readFile(await build([]));
  output = join(dir, 'again.cpio');
  expect((await readFile(await build([]))).equals(first)).toBe(true);
});

test('holds init, a shell, the applets and the workloads', async () => {
  const found = list(await build([]));
  expect(found.get('init')).toBe('-rwxr-xr-x');
  expect(found.get('usr/bin/storm')).toBe('-rwxr-xr-x');
  expect(found.get('usr/bin/sh -> /bin/busybox')).toBe('lrwxrwxrwx');
  expect(found.get('usr/sbin/mkswap -> /bin/busybox')).toBe('lrwxrwxrwx');
});

test('a host program comes with its libraries and wins over the applet of its name', async () => {
  const found = list(await build(['sort']));
  expect(found.get('usr/bin/sort')).toBe('-rwxr-xr-x');
  expect(found.get('usr/local/bin/sort -> /usr/bin/sort')).toBeDefined();
  const names = [...found.keys()].join('\n');
  expect(names).toMatch(/libc\.so\.6/);
  expect(names).toMatch(/ld-linux-x86-64\.so\.2/);
});

test('libraries that a program loads by name while it runs come with it', async () => {
  const names = [...list(await build(['python3'])).keys()].join('\n');
  expect(names).toMatch(/libgcc_s\.so\.1/);
  expect(names).toMatch(/libnss_files\.so\.2/);
});

test('with a busybox that runs its own programs first, one of their names is refused', async () => {
  tools = { ...tools, busyboxObeysPath: false };
  try {
    await expect(build(['sort'])).rejects.toMatchObject({ code: 'INITRAMFS_PATH_UNUSABLE' });
    expect(list(await build(['/usr/bin/sort'])).has('usr/bin/sort')).toBe(true);
  } finally {
    tools = { ...tools, busyboxObeysPath: true };
  }
});

test('root and nobody have names, and the kernel its configuration', async () => {
  const configFile = join(dir, 'config');
  await writeFile(configFile, 'CONFIG_SWAP=y\n# CONFIG_NUMA is not set\n');
  kernel = { ...KERNEL, configFile };
  const archive = await build([]);
  kernel = KERNEL;
  expect(content(archive, 'etc/passwd').toString()).toMatch(/^root:x:0:.*\nnobody:x:65534:/);
  expect(content(archive, 'etc/group').toString()).toMatch(/^root:x:0:\nnogroup:x:65534:/);
  expect(content(archive, 'boot/config-6.1.0').toString()).toContain('# CONFIG_NUMA is not set');
});

test('a folder comes with all in it, symlinks as symlinks with their targets', async () => {
  const folder = join(dir, 'folder');
  await mkdir(join(folder, 'sub'), { recursive: true });
  await writeFile(join(folder, 'sub/data'), 'data');
  await writeFile(join(dir, 'outside'), 'outside');
  await symlink('../outside', join(folder, 'link'));
  await symlink('link', join(folder, 'link-to-link'));
  await symlink('nowhere', join(folder, 'dangling'));
  await symlink('.', join(folder, 'self'));
  await writeFile(join(folder, 'script'), '#!/usr/bin/env -S sort\n');
  await chmod(join(folder, 'script'), 0o755);
  const found = list(await build([folder]));
  const base = folder.slice(1);
  for (const name of ['sub/data', 'link -> ../outside', 'link-to-link -> link', 'self -> .']) {
    expect(found.has(`${base}/${name}`), name).toBe(true);
  }
  expect(found.has(`${base}/dangling -> nowhere`)).toBe(true);
  expect(found.has(join(dir, 'outside').slice(1))).toBe(true);
  expect(found.get('usr/bin/env')).toBe('-rwxr-xr-x');
});

test('says which path is missing, hidden in the guest, or in circles', async () => {
  await expect(build(['no-such-program'])).rejects.toMatchObject({
    code: 'INITRAMFS_PATH_MISSING',
  });
  await expect(build([join(dir, 'gone')])).rejects.toMatchObject({
    code: 'INITRAMFS_PATH_MISSING',
  });
  await expect(build(['/'])).rejects.toMatchObject({ code: 'INITRAMFS_PATH_UNUSABLE' });
  await expect(build(['/proc/version'])).rejects.toMatchObject({ code: 'INITRAMFS_PATH_UNUSABLE' });
});

test('refuses more than the guest could hold, and leaves no half archive', async () => {
  const big = join(dir, 'big');
  await writeFile(big, '');
  await truncate(big, HOST_BYTES_MAX + 1);
  await expect(build([big])).rejects.toMatchObject({ code: 'INITRAMFS_TOO_LARGE' });
  await expect(readFile(output)).rejects.toMatchObject({ code: 'ENOENT' });
  await rm(big);
});

test('reads what ldd says', () => {
  const text = `
	linux-vdso.so.1 (0x00007ffd1)
	libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f1a)
	libgone.so => not found
	/lib64/ld-linux-x86-64.so.2 (0x00007f1b)
`;
  expect(parseLdd(text)).toEqual({
    libraries: ['/lib/x86_64-linux-gnu/libz.so.1', '/lib64/ld-linux-x86-64.so.2'],
    missing: ['libgone.so'],
  });
  expect(parseLdd('\tstatically linked\n')).toEqual({ libraries: [], missing: [] });
});
