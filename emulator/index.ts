/**
 * The public face of the package: boot guests, serve their pages, use the store by itself.
 */
export { Machine, QmpClient } from '@qemu-tmem/qmp';
export { kernelCatalogue, type UserKernel } from '../images/index.js';
export { codeOf, ExitCode, exitCodeOf, TmemError } from './errors.js';
export type { Accelerator, AcceleratorChoice } from './guest/accelerator.js';
export type { GuestCounters, Histogram } from './guest/counters.js';
export { type FileStormOptions, type FileStormReport, runFileStorm } from './guest/file-storm.js';
export { chooseFrontEnds, type FrontEnd, type FrontEndChoice } from './guest/front-end.js';
export { bootGuest, Guest, type GuestOptions, planGuest, type StoreProxy } from './guest/guest.js';
export { troubleIn } from './guest/kernel-log.js';
export { type MatrixOptions, type MatrixRow, runMatrix } from './guest/matrix.js';
export {
  type HugePages,
  type RefusalReason,
  runStorm,
  type StormOptions,
  type StormReport,
} from './guest/storm.js';
export type { SwapKind } from './guest/swap.js';
export { type SwapShare, swapShare } from './guest/swap-share.js';
export * from './protocol/geometry.js';
export * from './protocol/layout.js';
export type { StoreStats } from './session/messages.js';
export { TmemServer, type TmemServerOptions } from './session/server.js';
export { TmemClient } from './store/client.js';
export type { PoolInfo } from './store/pool-table.js';
export { Result } from './store/results.js';
export { TRANSPORTS, type Transport } from './transport/transports.js';
