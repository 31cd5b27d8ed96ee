/**
 * Projects, one after the other: tests of code and of QEMU without a guest, then tests that boot
 * guests. Two files at a time, whatever the machine: half of the first wait for other processes,
 * and a guest and its store seldom fill two cores.
 * `kernels` builds every kernel from nothing, which takes most of an hour: `npm run test:kernels`.
 * `readme` runs the README's long examples, an hour as well: `npm run test:readme`.
 * `peers` runs other people's programs in guests: `npm run test:peers`.
 */
import { defineConfig } from 'vitest/config';

const IGNORED = ['**/node_modules/**', '**/dist/**', '.cache/**'];

export default defineConfig({
  test: {
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...IGNORED, '**/*.{guest,kernel,peers,readme}.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'guest',
          include: ['**/*.guest.test.ts'],
          exclude: IGNORED,
          testTimeout: 300_000,
          hookTimeout: 900_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'kernels',
          include: ['**/*.kernel.test.ts'],
          exclude: IGNORED,
          testTimeout: 2 * 60 * 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'readme',
          include: ['**/*.readme.test.ts'],
          exclude: IGNORED,
          testTimeout: 2 * 60 * 60_000,
          hookTimeout: 15 * 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'peers',
          include: ['**/*.peers.test.ts'],
          exclude: IGNORED,
          testTimeout: 1_200_000,
          hookTimeout: 2 * 60 * 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
