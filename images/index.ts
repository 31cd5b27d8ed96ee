/**
 * What boots in the guest: kernels, modules built for them, guest programs, initramfs images, and
 * the host end of the guest agent. Nothing here starts QEMU; callers own what the functions return
 * paths to.
 */
export { checkMirror } from './apt.js';
export type { ImagesErrorCode } from './errors.js';
export { ImagesError } from './errors.js';
export type { ConnectOptions, ExecOptions, ExecResult, GuestHello } from './guest/agent.js';
export { GuestAgent } from './guest/agent.js';
export type { StartOptions, TerminalSize } from './guest/frames.js';
export type { GuestProcess } from './guest/process.js';
export type { BuildInitramfsOptions } from './initramfs/initramfs.js';
export { BASE_MODULES, buildInitramfs, GUEST_KERNEL_ARGS } from './initramfs/initramfs.js';
export type { BuildModuleOptions } from './kernels/build-module.js';
export { buildModule } from './kernels/build-module.js';
export { type BuildNeeds, buildNeeds } from './kernels/build-needs.js';
export type { KernelEntry } from './kernels/catalogue.js';
export { kernelCatalogue } from './kernels/catalogue.js';
export type { EnsureKernelOptions, Kernel, UserKernel } from './kernels/kernel.js';
export { ensureKernel, isCached } from './kernels/kernel.js';
export { checkParameters } from './kernels/parameters.js';
export { type Prunable, type PruneOptions, pruneKernels } from './kernels/prune.js';
export { bootImage } from './kernels/vmlinux.js';
export { printable, printableJson } from './printable.js';
export type { Progress } from './progress.js';
export { interruptible } from './run.js';
export { didYouMean } from './suggest.js';
export type { GuestTools } from './tools.js';
export { buildGuestTools } from './tools.js';
export { sweepCache } from './unfinished.js';
