/** Which image boots: the unpacked kernel, or the bzImage as it is. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bootImage } from './vmlinux.js';

const KERNEL = Buffer.concat([Buffer.from('7f454c46', 'hex'), Buffer.alloc(5000, 0x42)]);
const SECTOR_BYTES = 512;

let folder: string;
let image: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tmem-vmlinux-'));
  image = join(folder, 'bzImage');
  // One setup sector behind the boot sector, then the payload (Documentation/arch/x86/boot.rst).
  const payload = gzipSync(KERNEL);
  const setup = Buffer.alloc(2 * SECTOR_BYTES);
  setup[0x1f1] = 1;
  setup.writeUInt32LE(0, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  writeFileSync(image, Buffer.concat([setup, payload]));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function boot(options: Record<string, string>): Promise<string> {
  const config = new Map(Object.entries(options));
  return bootImage({ image, config }, { cacheDir: folder, progress: () => {} });
}

it('unpacks a kernel with a PVH entry, once', async () => {
  const path = await boot({ PVH: 'y' });
  expect(readFileSync(path)).toEqual(KERNEL);
  expect(await boot({ PVH: 'y' })).toBe(path);
});

it('leaves a kernel as it is that has no PVH entry, or one that KASAN keeps from running', async () => {
  expect(await boot({})).toBe(image);
  expect(await boot({ PVH: 'y', KASAN: 'y' })).toBe(image);
  expect(existsSync(join(folder, 'vmlinux'))).toBe(false);
});
