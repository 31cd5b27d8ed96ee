/** Exit codes as scripts and `git bisect run` rely on them. */
import { describe, expect, it } from 'vitest';
import { ExitCode, exitCodeOf, TmemError } from './errors.js';

describe('exit codes', () => {
  it.each([
    ['GUEST_PANICKED', 3],
    ['GUEST_VANISHED', 3],
    ['AGENT_PROTOCOL', 3],
    ['GUEST_BOOT_FAILED', 4],
    ['GUEST_BOOT_TIMEOUT', 4],
    ['GUEST_HUNG', 124],
    ['TIMEOUT', 124],
    ['AGENT_TIMEOUT', 124],
    ['KERNEL_BUILD_FAILED', 125],
    ['KERNEL_PATCH_FAILED', 125],
    ['MODULE_BUILD_FAILED', 125],
    ['KERNEL_PATCH_UNUSABLE', 2],
    ['MIRROR_INVALID', 2],
    ['TOOLS_MISSING', 69],
  ])('%s ends with %i', (code, exit) => {
    expect(exitCodeOf({ code })).toBe(exit);
  });

  it('never abort a bisect for what a guest or its kernel does', () => {
    const aborting = Object.values(ExitCode).filter((code) => code > 127);
    expect(aborting).toEqual([ExitCode.INTERRUPTED, ExitCode.READER_GONE]);
  });
});

describe('a message', () => {
  it('does nothing to a terminal, whoever wrote it', () => {
    const error = new TmemError('TIMEOUT', 'it said \x1b]0;owned\x07\nand \x9b2J');
    expect(error.message).toBe('it said \\x1b]0;owned\\x07\nand \\x9b2J');
  });
});
