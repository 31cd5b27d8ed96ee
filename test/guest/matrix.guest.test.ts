/**
 * The matrix: every one of Debian's kernels, each front end that it can have,
 * one short verified storm each; and a kernel that is not there spoils only its own rows.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MatrixOptions, runMatrix } from 'qemu-tmem';
import { expect, it } from 'vitest';

const MATRIX: MatrixOptions = {
  kernels: ['debian-5.10', 'debian-6.1', 'debian-6.12'],
  transports: ['ivshmem'],
  guest: { memoryMib: 128, accel: 'tcg' },
  mib: 128,
  passes: 1,
  timeoutMs: 120_000,
  progress: () => {},
};

const OK = [
  'debian-5.10 block',
  'debian-5.10 frontswap',
  'debian-6.1 block',
  'debian-6.1 frontswap',
  'debian-6.12 block',
  'debian-6.12 zswap',
];

it('every kernel of Debian’s storms through every front end that it has', async () => {
  const rows = await runMatrix(MATRIX);
  const ok = rows.filter((row) => row.outcome === 'ok');
  expect(ok.map((row) => `${row.kernel} ${row.frontEnd}`).sort()).toEqual(OK);
  for (const row of ok) {
    expect(row.puts, row.kernel).toBeGreaterThan(10_000);
    expect(row.pagesVerified, row.kernel).toBeGreaterThan(10_000);
    expect(row.pagesWrong, row.kernel).toBe(0);
  }
  // What is left out says why, and nothing failed.
  const rest = rows.filter((row) => row.outcome !== 'ok');
  expect(rest.map((row) => row.outcome)).toEqual(rest.map(() => 'cannot'));
  for (const row of rest) expect(row.reason).toMatch(/cannot have the front end/);
});

it('a kernel that cannot be had fills its own rows with the reason', async () => {
  const cacheDir = await mkdtemp(join(tmpdir(), 'tmem-matrix-'));
  try {
    const guest = { cacheDir, mirror: 'http://127.0.0.1:9/debian' };
    const rows = await runMatrix({ ...MATRIX, kernels: ['debian-6.1'], guest });
    expect(rows.map((row) => row.outcome)).toEqual(['absent', 'absent', 'absent', 'absent']);
    expect(rows[0]?.reason).toMatch(/apt-get update failed/);
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
});
