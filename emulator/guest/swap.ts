/**
 * Setting swap up in the guest: which device, and who gets the pages first.
 */

/**
 * `tmem`: our module, with the disks beneath it. `disk`: the disks alone. `zram`: compressed
 * memory in the guest itself, lz4. `none`: no swap; the module is there to be loaded by hand.
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
  /** `name=value` parameters of our module. */
  readonly moduleParameters: readonly string[];
}

function diskCommands(disks: number): string[] {
  return Array.from({ length: disks }, (_, disk) => {
    const device = `/dev/vd${String.fromCharCode(97 + disk)}`;
    return `mkswap ${device} >/dev/null && swapon ${device}`;
  });
}

/** The shell commands that set a plan up; each fails loudly. */
export function swapCommands(plan: SwapPlan): string {
  switch (plan.kind) {
    case 'none':
      return 'true';
    case 'disk':
      return diskCommands(plan.disks).join(' && ');
    case 'zram':
      return [
        'echo lz4 >/sys/block/zram0/comp_algorithm',
        `echo ${plan.zramMib}M >/sys/block/zram0/disksize`,
        'mkswap /dev/zram0 >/dev/null',
        'swapon /dev/zram0',
      ].join(' && ');
    case 'tmem':
      return [
        ['insmod /lib/tmem/tmem.ko', ...plan.moduleParameters].join(' '),
        ...diskCommands(plan.disks),
      ].join(' && ');
  }
}
