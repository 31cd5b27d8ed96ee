/**
 * Kernel configuration: reading a .config, and what a guest kernel must have. An option built as a
 * module counts only if the module's file is there.
 */
import { ImagesError } from '../errors.js';

interface Requirement {
  option: string;
  /** The module that holds it when it is `=m`; without one only `=y` will do. */
  module?: string;
  why: string;
  /** First release that needs it, as [major, minor]. */
  since?: readonly [number, number];
  /** First release that does not need it any more. */
  until?: readonly [number, number];
}

const REQUIREMENTS: readonly Requirement[] = [
  { option: 'SWAP', why: 'swapping itself' },
  { option: 'FRONTSWAP', why: 'the hook that takes pages being swapped out', until: [6, 6] },
  { option: 'ZSWAP', why: 'its functions are where pages are taken', since: [6, 6] },
  { option: 'FUNCTION_TRACER', why: 'attaches to the zswap functions', since: [6, 6] },
  { option: 'KPROBES', why: 'finds functions that are not exported' },
  { option: 'MODULES', why: 'loads the tmem module' },
  { option: 'BLK_DEV_INITRD', why: 'boots the initramfs' },
  { option: 'DEVTMPFS', why: 'device nodes without udev' },
  { option: 'PROC_FS', why: 'the guest agent' },
  { option: 'SYSFS', why: 'the guest agent finds its port there' },
  { option: 'TMPFS', why: '/tmp and shared memory' },
  { option: 'BINFMT_ELF', why: 'runs programs' },
  { option: 'BINFMT_SCRIPT', why: 'runs scripts' },
  { option: 'SIGNALFD', why: 'the guest agent' },
  { option: 'PCI', why: 'the ivshmem device' },
  { option: 'PCI_MSI', why: 'the ivshmem doorbell' },
  { option: 'SERIAL_8250_CONSOLE', why: 'the console log' },
  { option: 'VIRTIO_PCI', module: 'virtio_pci', why: 'virtio devices' },
  { option: 'VIRTIO_BLK', module: 'virtio_blk', why: 'the swap disk' },
  { option: 'VIRTIO_CONSOLE', module: 'virtio_console', why: 'the guest agent’s port' },
];

/** Parses a .config: option name without CONFIG_ to its value (`y`, `m`, a number, a string). */
export function parseConfig(text: string): Map<string, string> {
  const config = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('CONFIG_')) continue;
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const value = line.slice(equals + 1).trim();
    config.set(line.slice('CONFIG_'.length, equals), value.replace(/^"(.*)"$/, '$1'));
  }
  return config;
}

/**
 * Refuses a kernel that cannot run a tmem guest, naming every missing option at once.
 * Errors: KERNEL_CONFIG_MISSING.
 */
export function checkConfig(
  kernel: { name: string; release: string; config: ReadonlyMap<string, string> },
  hasModule: (name: string) => boolean,
): void {
  const missing: string[] = [];
  for (const requirement of REQUIREMENTS) {
    if (!applies(requirement, kernel.release)) continue;
    const { option, module } = requirement;
    const value = kernel.config.get(option);
    if (value === 'y') continue;
    if (value === 'm' && module && hasModule(module)) continue;
    const state =
      value === 'm' ? (module ? `=m, but ${module}.ko is not there` : '=m, needs =y') : 'not set';
    missing.push(`  CONFIG_${option} (${requirement.why}): ${state}`);
  }
  if (missing.length === 0) return;
  throw new ImagesError(
    'KERNEL_CONFIG_MISSING',
    `kernel ${kernel.name} (${kernel.release}) lacks what a tmem guest needs:\n` +
      `${missing.join('\n')}\nSet these options, build the kernel and its modules, and try again.`,
  );
}

function applies(requirement: Requirement, release: string): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release);
  const version = match ? Number(match[1]) * 1000 + Number(match[2]) : 0;
  const { since, until } = requirement;
  if (since && version < since[0] * 1000 + since[1]) return false;
  return !(until && version >= until[0] * 1000 + until[1]);
}
