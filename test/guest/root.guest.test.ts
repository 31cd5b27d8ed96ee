/**
 * The host's root and folders in the guest: what runs, what stays, what cannot be written.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest, runStorm, troubleIn } from 'qemu-tmem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe("a guest with the host's root", () => {
  const folder = mkdtempSync(join(tmpdir(), 'tmem-root-test-'));
  let guest: Guest;

  beforeAll(async () => {
    writeFileSync(join(folder, 'mine'), 'of the host\n');
    for (const name of ['read', 'write']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'file'), `${name}\n`);
    }
    guest = await bootGuest({
      accel: 'tcg',
      root: 'host',
      folder,
      kernelModules: ['loop'],
      shares: [
        { path: join(folder, 'read'), writable: false },
        { path: join(folder, 'write'), writable: true },
      ],
    });
  });

  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts where the caller is, and runs what is installed', async () => {
    expect(await guest.sh('pwd; cat mine')).toBe(`${folder}\nof the host\n`);
    const compile = 'echo "int main() { return 6; }" | gcc -x c - -o /tmp/six && /tmp/six';
    expect((await guest.exec(compile)).code).toBe(6);
  });

  it('keeps what the guest writes from the host', async () => {
    const change = 'echo changed >mine; rm -r /etc/apt; mkdir /etc/apt; echo 1 >/etc/tmem-test';
    await guest.sh(change);
    expect(await guest.sh('cat mine; ls /etc/apt; cat /etc/tmem-test')).toBe('changed\n1\n');
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('of the host\n');
    expect(existsSync('/etc/tmem-test')).toBe(false);
    // Not even below the overlay, where the host's files themselves are.
    const below = await guest.agent.exec('echo 1 >/run/host/etc/tmem-test');
    expect(below.stderr).toContain('Read-only file system');
  });

  it('shares folders, one of them to be written', async () => {
    expect(await guest.sh('cat /mnt/read/file')).toBe('read\n');
    expect((await guest.exec('echo no >/mnt/read/file')).stderr).toContain('Read-only');
    await guest.sh('echo out >/mnt/write/result; echo more >>/mnt/write/file');
    expect(readFileSync(join(folder, 'write/result'), 'utf8')).toBe('out\n');
    expect(readFileSync(join(folder, 'write/file'), 'utf8')).toBe('write\nmore\n');
    writeFileSync(join(folder, 'write/later'), 'later\n');
    expect(await guest.sh('cat /mnt/write/later')).toBe('later\n');
  });

  it('has the modules that were asked for, and those of its kernel to load', async () => {
    expect(await guest.sh('ls /dev/loop-control /lib/tmem')).toContain('tmem.ko');
    expect(await guest.sh('grep -o "^loop" /proc/modules')).toBe('loop\n');
  });

  it('swaps as any other, with no word in its log', async () => {
    const report = await runStorm(guest, { mib: 200, passes: 1, timeoutMs: 240_000 });
    expect(report.problems).toEqual([]);
    expect(report.puts).toBeGreaterThan(0);
    expect(await guest.sh('cat mine; gcc --version | head -1')).toMatch(/^changed\ngcc /);
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });
});
