/**
 * What is done in a guest before anybody's commands, and how those start.
 */
import type { StartOptions } from '../../images/index.js';
import { mountCommand } from './data-disk.js';
import { HOST_ROOT, type HostFolder, rootCommand, rootPath, shareCommand } from './folders.js';
import type { GuestOptions } from './guest.js';
import { type SwapPlan, swapCommands } from './swap.js';

export function hasDataDisk({ dataMib, dataFrom }: GuestOptions): boolean {
  return dataMib !== undefined || dataFrom !== undefined;
}

/** Whether our module is loaded before anybody's command. */
export function loadsModule({ swap = 'tmem', frontEnd = 'auto' }: GuestOptions): boolean {
  return swap === 'tmem' || (swap === 'none' && frontEnd !== 'auto');
}

/** Shell commands for the guest's own root, in order; each must succeed. */
export function setupCommands(
  options: GuestOptions,
  folders: readonly HostFolder[],
  swap: SwapPlan,
): string[] {
  const hostRoot = folders.includes(HOST_ROOT);
  const shares = folders.filter((folder) => folder !== HOST_ROOT);
  return [
    swapCommands(swap),
    ...(hostRoot ? [rootCommand(options.folder ?? '/root')] : []),
    ...(hasDataDisk(options) ? [mountCommand(swap.disks, hostRoot)] : []),
    ...(shares.length > 0 ? [shareCommand(shares, hostRoot)] : []),
  ];
}

/** How commands start that are not the setup's. */
export function startOf(options: GuestOptions): StartOptions {
  const folder = options.folder === undefined ? {} : { folder: options.folder };
  if (options.root !== 'host') return folder;
  return { ...folder, sysroot: true, environment: { PATH: rootPath(process.env.PATH) } };
}
