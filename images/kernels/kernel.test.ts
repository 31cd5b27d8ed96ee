/**
 * Kernels: the user's own and its checks, modules and their order, and what is read out of apt. The
 * catalogue's kernel itself is proven by booting it (guest/boot.guest.test.ts).
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSites, parseStanza } from '../apt.js';
import { imagesSourceDir } from '../files.js';
import { buildModule } from './build-module.js';
import { bzImageRelease } from './bzimage.js';
import { kernelCatalogue } from './catalogue.js';
import { parseConfig } from './config.js';
import { ensureKernel, type Kernel } from './kernel.js';
import { parseModinfo } from './modinfo.js';
import { ModuleIndex } from './modules.js';
import { checkParameters } from './parameters.js';

const CACHE_DIR = join(imagesSourceDir(), '../.cache');
const SETUP_TIMEOUT_MS = 30 * 60_000;
const GOOD = `SWAP FRONTSWAP KPROBES MODULES BLK_DEV_INITRD DEVTMPFS PROC_FS SYSFS TMPFS BINFMT_ELF
  BINFMT_SCRIPT SIGNALFD PCI PCI_MSI SERIAL_8250_CONSOLE VIRTIO_PCI VIRTIO_BLK VIRTIO_CONSOLE`;

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tmem-kernel-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function put(path: string, content: string | Buffer): Promise<string> {
  const file = join(dir, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

/** The boot header alone, which is all that is read. */
function bzImage(version: string): Buffer {
  const image = Buffer.alloc(4096);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x600, 0x20e);
  image.write(`${version}\0`, 0x800, 'latin1');
  return image;
}

/** The least ELF file that has a .modinfo section. */
function moduleFile(modinfo: string): Buffer {
  const names = Buffer.from('\0.modinfo\0.shstrtab\0', 'latin1');
  const info = Buffer.from(modinfo, 'latin1');
  const file = Buffer.alloc(64 + 3 * 64);
  file.writeUInt32BE(0x7f454c46, 0);
  file.set([2, 1], 4);
  file.writeBigUInt64LE(64n, 0x28);
  file.writeUInt16LE(3, 0x3c);
  file.writeUInt16LE(2, 0x3e);
  const section = (index: number, name: number, offset: number, size: number): void => {
    file.writeUInt32LE(name, 64 + index * 64);
    file.writeBigUInt64LE(BigInt(offset), 64 + index * 64 + 0x18);
    file.writeBigUInt64LE(BigInt(size), 64 + index * 64 + 0x20);
  };
  section(1, 1, file.length, info.length);
  section(2, 10, file.length + info.length, names.length);
  return Buffer.concat([file, info, names]);
}

async function userKernel(config: string, release = '6.1.99-mine'): Promise<Kernel> {
  const image = await put('bzImage', bzImage('6.1.99-mine (me@here) #1 SMP'));
  await put('build/include/config/kernel.release', `${release}\n`);
  await put('build/.config', config);
  const options = { cacheDir: join(dir, 'cache'), progress: () => {} };
  return ensureKernel({ image, buildDir: join(dir, 'build') }, options);
}

const configOf = (names: string): string =>
  names
    .split(/\s+/)
    .map((name) => `CONFIG_${name}=y\n`)
    .join('');

test('takes a kernel of the user’s own', async () => {
  const kernel = await userKernel(configOf(GOOD));
  expect(kernel).toMatchObject({ release: '6.1.99-mine', buildDir: join(dir, 'build') });
  expect(kernel.config.get('FRONTSWAP')).toBe('y');
});

test('names everything that a kernel’s configuration lacks', async () => {
  const config = configOf(GOOD.replace('FRONTSWAP', '').replace('PCI_MSI', ''));
  const error = await userKernel(config.replace('VIRTIO_BLK=y', 'VIRTIO_BLK=m')).catch((e) => e);
  expect(error.code).toBe('KERNEL_CONFIG_MISSING');
  expect(error.message).toMatch(/CONFIG_FRONTSWAP .*: not set/);
  expect(error.message).toMatch(/CONFIG_PCI_MSI .*: not set/);
  expect(error.message).toMatch(/CONFIG_VIRTIO_BLK .*: =m, but virtio_blk.ko is not there/);
  expect(error.message).not.toContain('CONFIG_SWAP ');
});

test.each(['SWAP', 'KPROBES', 'PCI_MSI', 'MODULES', 'SIGNALFD', 'VIRTIO_CONSOLE'])(
  'a kernel without CONFIG_%s is refused by that name, and never started',
  async (option) => {
    const config = configOf(GOOD).replace(`CONFIG_${option}=y`, `# CONFIG_${option} is not set`);
    const error = await userKernel(config).catch((e) => e);
    expect(error.code).toBe('KERNEL_CONFIG_MISSING');
    const named = [...error.message.matchAll(/CONFIG_\w+/g)].map(([name]) => name);
    expect(named).toEqual([`CONFIG_${option}`]);
  },
);

test('a module counts when its file is there', async () => {
  await put('build/modules.order', 'drivers/block/virtio_blk.o\n');
  await put('build/drivers/block/virtio_blk.ko', moduleFile('name=virtio_blk\0depends=\0'));
  const kernel = await userKernel(configOf(GOOD).replace('VIRTIO_BLK=y', 'VIRTIO_BLK=m'));
  expect(kernel.config.get('VIRTIO_BLK')).toBe('m');
});

test('refuses an image that does not fit its build folder', async () => {
  await expect(userKernel(configOf(GOOD), '6.1.98-other')).rejects.toMatchObject({
    code: 'KERNEL_RELEASE_MISMATCH',
    message: expect.stringContaining('6.1.98-other'),
  });
});

test('refuses what is no kernel image, and names it does not know', async () => {
  await expect(bzImageRelease(await put('x', 'text'))).rejects.toMatchObject({
    code: 'KERNEL_IMAGE_INVALID',
  });
  await expect(bzImageRelease(join(dir, 'gone'))).rejects.toMatchObject({
    code: 'KERNEL_IMAGE_INVALID',
  });
  await expect(ensureKernel('minix', { cacheDir: dir, progress: () => {} })).rejects.toMatchObject({
    code: 'KERNEL_UNKNOWN',
    message: expect.stringContaining(kernelCatalogue()[0]!.name),
  });
});

test('orders modules by what they need, built-in ones left out', async () => {
  await put('modules.builtin', 'kernel/drivers/built-in-one.ko\n');
  const files: [string, string][] = [
    ['a', 'depends=b,c\0softdep=pre: d built_in_one gone post: e\0'],
    ['b', 'depends=c\0'],
    ['c-dash', 'depends=\0'],
    ['c', 'depends=c_dash,built_in_one\0'],
    ['d', 'depends=\0'],
    ['e', 'depends=a\0'],
  ];
  for (const [name, info] of files) await put(`kernel/${name}.ko`, moduleFile(info));
  const index = await ModuleIndex.open(dir);
  const order = ['d', 'c-dash', 'c', 'b', 'a', 'e'].map((name) => `kernel/${name}.ko`);
  expect(await index.loadOrder(['a', 'b', 'built-in-one'])).toEqual({ root: dir, files: order });
  await expect(index.loadOrder(['gone'])).rejects.toMatchObject({ code: 'KERNEL_MODULE_UNKNOWN' });
});

test('reads what a module says, and refuses other files', async () => {
  const text =
    'vermagic=6.1.0 SMP mod_unload \0name=x\0depends=a,b\0softdep=pre: c post: d\0parmtype=p:uint\0';
  expect(parseModinfo(text)).toEqual({
    name: 'x',
    vermagic: '6.1.0 SMP mod_unload',
    depends: ['a', 'b'],
    softPre: ['c'],
    softPost: ['d'],
    parameters: ['p'],
  });
  await put('kernel/bad.ko', 'not ELF');
  const index = await ModuleIndex.open(dir);
  await expect(index.loadOrder(['bad'])).rejects.toMatchObject({ code: 'MODULE_INVALID' });
});

test('reads a .config', () => {
  const config = parseConfig('# CONFIG_A is not set\nCONFIG_B=m\nCONFIG_C="x=y"\nCONFIG_D=12\n');
  expect([...config]).toEqual([
    ['B', 'm'],
    ['C', 'x=y'],
    ['D', '12'],
  ]);
});

test('finds the machine’s Debian mirrors, with and without downloaded lists', () => {
  const lines = [
    'https://other.example|bookworm|main|Somebody',
    'http://a.example/debian|bookworm|main|Debian',
    'http://a.example/debian|bookworm-updates|main|Debian',
    'http://s.example/debian-security|bookworm-security|main|Debian',
  ];
  const sites = { main: 'http://a.example/debian', security: 'http://s.example/debian-security' };
  expect(parseSites(lines.join('\n'), 'bookworm')).toEqual(sites);
  const fresh = lines.slice(1).map((line) => line.replace(/[^|]*$/, ''));
  expect(parseSites(fresh.join('\n'), 'bookworm')).toEqual(sites);
  expect(() => parseSites('http://u.example/ubuntu|noble|main|', 'bookworm')).toThrow(
    expect.objectContaining({ code: 'KERNEL_FETCH_FAILED' }),
  );
});

test('reads one package’s stanza', () => {
  const stanza = parseStanza(
    'Package: a\nDepends: b (= 1), c\nDescription: x\n more: y\n\nPackage: z\n',
  );
  expect(stanza.get('Depends')).toBe('b (= 1), c');
  expect(stanza.get('Package')).toBe('a');
  expect(stanza.has(' more')).toBe(false);
});

test(
  'a fetched kernel needs no network and no apt any more',
  async () => {
    const options = { cacheDir: CACHE_DIR, progress: () => {} };
    const first = await ensureKernel('debian-6.1', options);
    const path = process.env.PATH;
    process.env.PATH = '/nonexistent';
    try {
      const lines: string[] = [];
      const progress = (line: string): void => void lines.push(line);
      expect(await ensureKernel('debian-6.1', { cacheDir: CACHE_DIR, progress })).toEqual(first);
      expect(lines).toEqual([]);
    } finally {
      process.env.PATH = path;
    }
  },
  SETUP_TIMEOUT_MS,
);

test('an unreachable mirror is named, and leaves nothing behind', async () => {
  const options = { cacheDir: dir, mirror: 'http://127.0.0.1:9/debian', progress: () => {} };
  await expect(ensureKernel('debian-6.1', options)).rejects.toMatchObject({
    code: 'KERNEL_FETCH_FAILED',
    message: expect.stringContaining('127.0.0.1'),
  });
  expect(await readdir(dir)).toEqual(['locks']);
}, 120_000);

test(
  'builds a module once, and shows the compiler’s words when it cannot',
  async () => {
    const lines: string[] = [];
    const options = {
      sourceDir: join(dir, 'source'),
      name: 'fixture',
      cacheDir: join(dir, 'cache'),
      progress: (line: string): void => void lines.push(line),
    };
    const kernel = await ensureKernel('debian-6.1', { cacheDir: CACHE_DIR, progress: () => {} });
    const fixture = join(imagesSourceDir(), 'testing/module-fixture');
    const source = await readFile(join(fixture, 'fixture.c'), 'utf8');
    await put('source/Kbuild', await readFile(join(fixture, 'Kbuild')));
    await put('source/fixture.c', source);
    const built = await buildModule(kernel, options);
    expect(await buildModule(kernel, options)).toBe(built);
    expect(lines).toEqual([`building fixture.ko for ${kernel.release}`]);
    await put('source/fixture.c', source.replace('return 0;', 'return nonsense;'));
    await expect(buildModule(kernel, options)).rejects.toMatchObject({
      code: 'MODULE_BUILD_FAILED',
      message: expect.stringMatching(/fixture\.c:\d+.*nonsense/s),
    });
    await put('source/fixture.c', source);
    const other = { ...kernel, release: '6.1.0-other' };
    await expect(buildModule(other, options)).rejects.toMatchObject({ code: 'MODULE_MISMATCH' });
  },
  SETUP_TIMEOUT_MS,
);

test('the headers of a distribution go with its image, whose modules lie beside it', async () => {
  const release = '6.1.99-mine';
  const image = await put('boot/vmlinuz', bzImage(`${release} (me@here) #1 SMP`));
  await put('headers/.config', configOf(GOOD));
  // The upstream version alone, as Debian's headers have it.
  await put('headers/include/config/kernel.release', '6.1.99\n');
  const options = { cacheDir: join(dir, 'cache'), progress: () => {} };
  const own = { image, buildDir: join(dir, 'headers') };
  await expect(ensureKernel(own, options)).rejects.toMatchObject({
    code: 'KERNEL_RELEASE_MISMATCH',
  });
  await put('headers/include/generated/utsrelease.h', `#define UTS_RELEASE "${release}"\n`);
  expect(await ensureKernel(own, options)).toMatchObject({
    release,
    modulesRoot: join(dir, 'headers'),
  });
  await put(`lib/modules/${release}/modules.order`, '');
  expect(await ensureKernel(own, options)).toMatchObject({
    modulesRoot: join(dir, 'lib/modules', release),
  });
});

test('a parameter that the module does not have is refused, with the one that was meant', async () => {
  const words = ['name=tmem', 'parmtype=posted_puts:bool', 'parm=x:y', 'parmtype=spin_us:uint'];
  const file = await put('tmem.ko', moduleFile(`${words.join('\0')}\0`));
  await checkParameters(file, ['posted_puts=1', 'spin-us=3', 'dyndbg=+p']);
  await expect(checkParameters(file, ['spin_us=3', 'posted_put=1'])).rejects.toMatchObject({
    code: 'MODULE_PARAMETER_UNKNOWN',
    message:
      'tmem.ko has no parameter "posted_put"; did you mean posted_puts? it has posted_puts, spin_us',
  });
  await expect(checkParameters(file, ['colour=1'])).rejects.toThrow(
    'tmem.ko has no parameter "colour"; it has posted_puts, spin_us',
  );
});
