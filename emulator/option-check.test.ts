/**
 * Options of the library are refused as those of the command line are: at once, by name, with what
 * they must be.
 */
import { describe, expect, it } from 'vitest';
import { runFileStorm } from './guest/file-storm.js';
import { bootGuest, type Guest, type GuestOptions, planGuest } from './guest/guest.js';
import { runStorm, type StormOptions } from './guest/storm.js';
import { TmemServer, type TmemServerOptions } from './session/server.js';
import { PageQuota } from './store/quota.js';

const socketPath = '/nonexistent/socket';
const storm = { mib: 1, passes: 1, timeoutMs: 1 };
/** Whatever touched it would throw another error. */
const noGuest = {} as Guest;

function invalid(...words: string[]) {
  const message = expect.stringMatching(new RegExp(words.join('.*')));
  return expect.objectContaining({ name: 'TmemError', code: 'OPTION_INVALID', message });
}

describe('a store', () => {
  it.each([
    ['quotaPages', -1],
    ['quotaPages', Number.NaN],
    ['quotaPages', 1.5],
    ['quotaPages', Number.NEGATIVE_INFINITY],
    ['quotaPages', '12'],
    ['spinMicros', -1],
    ['spinMicros', Number.POSITIVE_INFINITY],
    ['hangMs', -1],
    ['hangMs', 0.5],
    ['hangMs', 99],
    ['transport', 'pigeon'],
    ['socketPath', ''],
    ['socketPath', 'a\0b'],
    ['shmDir', ''],
    ['onEvent', 'say'],
  ])('has no %s of %s', async (name, value) => {
    const options = { socketPath, [name]: value } as unknown as TmemServerOptions;
    await expect(TmemServer.start(options)).rejects.toEqual(invalid(name, 'must be'));
  });

  it('has no option of a name that is not known', async () => {
    const options = { socketPath, quotaPage: 1 } as TmemServerOptions;
    await expect(TmemServer.start(options)).rejects.toEqual(invalid('quotaPage,', 'quotaPages'));
  });

  it.each([-1, Number.NaN, 1.5, Number.NEGATIVE_INFINITY, '3' as unknown as number])(
    'has no quota of %s pages',
    (pages) => {
      expect(() => new PageQuota(pages)).toThrow(invalid('quota', 'whole number'));
      const quota = new PageQuota(1);
      expect(() => {
        quota.limit = pages;
      }).toThrow(invalid('quota'));
      expect(quota.limit).toBe(1);
    },
  );
});

describe('a guest', () => {
  it.each([
    ['memoryMib', 0],
    ['memoryMib', 256.5],
    ['cpus', Number.NaN],
    ['accel', 'warp'],
    ['swap', 'paper'],
    ['swapDisksMib', [1024, 0]],
    ['swapDisksMib', 1024],
    ['dataMib', -1],
    ['bootTimeoutMs', 0],
    ['bootTimeoutMs', Number.POSITIVE_INFINITY],
    ['kernelArguments', 'quiet'],
    ['moduleParameters', [1]],
    ['diskDir', ''],
    ['progress', true],
  ])('has no %s of %s', async (name, value) => {
    const options = { [name]: value } as GuestOptions;
    await expect(bootGuest(options)).rejects.toEqual(invalid('bootGuest', name, 'must be'));
    await expect(planGuest(options)).rejects.toEqual(invalid(name));
  });
});

describe('a storm', () => {
  it.each([
    ['mib', 0],
    ['mib', Number.NaN],
    ['passes', 1.5],
    ['processes', -1],
    ['extra', '--pageout'],
    ['timeoutMs', 0],
    ['onProgress', 'say'],
    ['pases', 3],
  ])('has no %s of %s', async (name, value) => {
    const options = { ...storm, [name]: value } as StormOptions;
    await expect(runStorm(noGuest, options)).rejects.toEqual(invalid('runStorm', name));
  });

  it('of files has neither', async () => {
    const options = { ...storm, files: 0 };
    await expect(runFileStorm(noGuest, options)).rejects.toEqual(invalid('runFileStorm', 'files'));
  });
});
