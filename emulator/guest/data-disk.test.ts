/**
 * Disks with a file system for the guest's files, as mke2fs and debugfs see them.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeDataDisk } from './data-disk.js';

const top = mkdtempSync(join(tmpdir(), 'tmem-data-disk-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));

function folder(name: string): string {
  mkdirSync(join(top, name));
  return join(top, name);
}

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const ask = (disk: string, request: string): string =>
  execFileSync('debugfs', ['-R', request, disk], {
    encoding: 'utf8',
    stdio: 'pipe',
    env: { ...process.env, PATH },
  });

test('a tree goes onto a disk that is as large as it needs, with many small files too', async () => {
  const from = join(top, 'tree, with a name');
  mkdirSync(join(from, 'sub'), { recursive: true });
  for (let n = 0; n < 4000; n += 1) writeFileSync(join(from, `sub/${n}`), `${n}`);
  writeFileSync(join(from, 'large'), Buffer.alloc(20 * 2 ** 20, 'x'));
  symlinkSync('/etc/passwd', join(from, 'link'));
  const disk = await makeDataDisk({ directory: folder('one'), from });
  expect(ask(disk, 'cat sub/3999')).toBe('3999');
  expect(ask(disk, 'stat large')).toContain(`Size: ${20 * 2 ** 20}`);
  // As a link, not what it leads to.
  expect(ask(disk, 'stat link')).toContain('Type: symlink');
  expect(ask(disk, 'stat /')).toMatch(/User: +0 +Group: +0/);
  expect(statSync(disk).size).toBeLessThan(128 * 2 ** 20);
});

test('without a tree it is empty, of the size that was asked for', async () => {
  const disk = await makeDataDisk({ directory: folder('two'), mib: 64 });
  expect(statSync(disk).size).toBe(64 * 2 ** 20);
  expect(ask(disk, 'ls -p /').split('\n').filter(Boolean)).toHaveLength(3);
});

test('says what cannot be: no folder, too little room', async () => {
  const code = { code: 'DATA_DISK_UNUSABLE' };
  const from = join(top, 'none');
  const directory = folder('three');
  await expect(makeDataDisk({ directory, from })).rejects.toMatchObject(code);
  writeFileSync(join(folder('big'), 'file'), Buffer.alloc(2 ** 24, 'x'));
  const small = makeDataDisk({ directory, mib: 8, from: join(top, 'big') });
  await expect(small).rejects.toMatchObject({ ...code, message: expect.stringContaining('needs') });
});
