/**
 * What the options of a guest must be, where nothing else looks at them before the boot: the same
 * as on the command line.
 */
import { called, checkSome, listOf, oneOf, text, whole } from '../option-check.js';
import type { GuestOptions } from './guest.js';
import { SWAP_KINDS } from './swap.js';

/** An hour, as on the command line. */
const BOOT_MS_MAX = 3_600_000;

/** @throws TmemError (OPTION_INVALID) */
export function checkGuestOptions(options: GuestOptions): void {
  checkSome('bootGuest', options, {
    kernelPatches: listOf(text),
    memoryMib: whole(64, 65_536),
    cpus: whole(1, 64),
    accel: oneOf(['auto', 'kvm', 'tcg']),
    swap: oneOf(SWAP_KINDS),
    swapDisksMib: listOf(whole(1)),
    dataMib: whole(1),
    diskDir: text,
    between: called,
    moduleParameters: listOf(text),
    dataFrom: text,
    with: listOf(text),
    root: oneOf(['own', 'host']),
    folder: text,
    kernelModules: listOf(text),
    kernelArguments: listOf(text),
    qemuArguments: listOf(text),
    cacheDir: text,
    mirror: text,
    keepDir: text,
    onConsole: called,
    bootTimeoutMs: whole(1, BOOT_MS_MAX),
    progress: called,
  });
}
