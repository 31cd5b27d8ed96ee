/**
 * Setting swap up in the guest: which device, and who gets the pages first.
 */
import type { Transport } from '../transport/transports.js';
import type { FrontEnd } from './front-end.js';

/**
 * `tmem`: our module, with the disks beneath it. `disk`: the disks alone. `zram`: compressed
 * memory in the guest itself, lz4. `none`: no swap; the module is loaded with the front ends that
 * are named, or is there to be loaded by hand.
 */
export type SwapKind = 'tmem' | 'disk' | 'zram' | 'none';

export const SWAP_KINDS: readonly SwapKind[] = ['tmem', 'disk', 'zram', 'none'];

/** Kernel modules that a kind of swap needs, beside those that every guest has. */
export const SWAP_MODULES: Readonly<Record<SwapKind, readonly string[]>> = {
  tmem: [],
  disk: [],
  zram: ['zram', 'lz4'],
  none: [],
};

export interface SwapPlan {
  readonly kind: SwapKind;
  /** Swap disks, /dev/vda and on. */
  readonly disks: number;
  /** Size of the zram device in MiB. */
  readonly zramMib: number;
  /** Who hands pages to our module; nobody when it is not loaded. */
  readonly frontEnds: readonly FrontEnd[];
  /** How the module reaches the store. */
  readonly transport: Transport;
  /** `name=value` parameters of our module. */
  readonly moduleParameters: readonly string[];
}

function diskNames(disks: number): string[] {
  return Array.from({ length: disks }, (_, disk) => `/dev/vd${String.fromCharCode(97 + disk)}`);
}

function swapOn(devices: readonly string[]): string[] {
  return devices.map((device) => `mkswap ${device} >/dev/null && swapon ${device}`);
}

function insmodWords(plan: SwapPlan): string[] {
  return [
    'insmod /lib/tmem/tmem.ko',
    `transport=${plan.transport}`,
    `front_end=${plan.frontEnds.join(',')}`,
  ];
}

/** The block front end's disk. */
const BLOCK_DEVICE = '/dev/tmem0';

/**
 * With frontswap a load that fails would read the disk, where the page never was: the module's
 * fail-stop devices over the disks make that an I/O error. The block front end's own disk goes on
 * before the others, which gives it the higher priority.
 */
function tmemCommands(plan: SwapPlan): string[] {
  const disks = diskNames(plan.disks);
  const insmod = insmodWords(plan);
  const failStop = plan.frontEnds.includes('frontswap') && disks.length > 0;
  if (failStop) insmod.push(`failstop=${disks.join(',')}`);
  const below = failStop ? disks.map((_, disk) => `/dev/failstop${disk}`) : disks;
  const devices = plan.frontEnds.includes('block') ? [BLOCK_DEVICE, ...below] : below;
  return [[...insmod, ...plan.moduleParameters].join(' '), ...swapOn(devices)];
}

/** The shell commands that set a plan up; each fails loudly. */
export function swapCommands(plan: SwapPlan): string {
  switch (plan.kind) {
    case 'none':
      if (plan.frontEnds.length === 0) return 'true';
      return [...insmodWords(plan), ...plan.moduleParameters].join(' ');
    case 'disk':
      return swapOn(diskNames(plan.disks)).join(' && ');
    case 'zram':
      return [
        'echo lz4 >/sys/block/zram0/comp_algorithm',
        `echo ${plan.zramMib}M >/sys/block/zram0/disksize`,
        'mkswap /dev/zram0 >/dev/null',
        'swapon /dev/zram0',
      ].join(' && ');
    case 'tmem':
      return tmemCommands(plan).join(' && ');
  }
}
