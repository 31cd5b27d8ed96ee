/**
 * The QEMU machine of a guest, as a description for `@qemu-tmem/qmp`.
 *
 * Only what a guest needs: a serial console to a file, the agent's port, swap disks, the store's
 * device, folders of the host's. QEMU runs in its sandbox, where it was built with one.
 */
import { execFileSync } from 'node:child_process';
import { type MachineSpec, machineArguments, shellQuote } from '@qemu-tmem/qmp';
import { GUEST_KERNEL_ARGS } from '../../images/index.js';
import { type StoreAddress, storeDevices } from '../transport/transports.js';
import type { Accelerator } from './accelerator.js';
import { folderDevices, type HostFolder } from './folders.js';

/** The agent's virtio-serial port; images/guest/agent.h has the same name. */
const AGENT_PORT = 'org.qemu-tmem.agent.0';

/**
 * Warnings are on the console too, for a kernel that can give its log to nobody any more. An NMI
 * is ours alone and asks a kernel that hangs where it is: it says so and panics.
 */
const VERDICT_KERNEL_ARGS: readonly string[] = ['loglevel=5', 'unknown_nmi_panic'];

const VERSION_MS_MAX = 10_000;
let sandboxed: boolean | undefined;

/** Whether the QEMU of this machine can be told to go without system calls it does not need. */
function hasSandbox(): boolean {
  if (sandboxed !== undefined) return sandboxed;
  try {
    const words = ['-sandbox', 'on', '-version'];
    execFileSync('qemu-system-x86_64', words, { stdio: 'ignore', timeout: VERSION_MS_MAX });
    sandboxed = true;
  } catch {
    // Without one; where there is no QEMU at all, its launch tells so.
    sandboxed = false;
  }
  return sandboxed;
}

export interface GuestMachineOptions {
  readonly accelerator: Accelerator;
  readonly memoryMib: number;
  readonly cpus: number;
  readonly kernelImage: string;
  readonly initramfs: string;
  readonly logDir: string;
  readonly consolePath: string;
  readonly agentSocket: string;
  /** Raw files, /dev/vda and on. */
  readonly disks: readonly string[];
  /** Folders of the host's that the guest may see. */
  readonly folders: readonly HostFolder[];
  /** The store that holds the guest's pages, if any. */
  readonly store?: StoreAddress;
  readonly kernelArguments: readonly string[];
  readonly qemuArguments: readonly string[];
}

/**
 * Writes need not survive the host, and an error is the guest's to see: it must not stop the
 * machine.
 */
function diskSpecs(paths: readonly string[]): Pick<MachineSpec, 'blockdevs'> & {
  devices: NonNullable<MachineSpec['devices']>;
} {
  return {
    blockdevs: paths.map((filename, disk) => ({
      driver: 'raw',
      'node-name': `disk${disk}`,
      file: { driver: 'file', filename },
      cache: { direct: false, 'no-flush': true },
    })),
    devices: paths.map((_filename, disk) => ({
      driver: 'virtio-blk-pci',
      drive: `disk${disk}`,
      werror: 'report',
      rerror: 'report',
    })),
  };
}

export function guestMachineSpec(options: GuestMachineOptions): MachineSpec {
  const disks = diskSpecs(options.disks);
  const folders = folderDevices(options.folders);
  const store = options.store === undefined ? undefined : storeDevices(options.store);
  return {
    logDir: options.logDir,
    console: options.consolePath,
    defaults: false,
    userConfig: false,
    noReboot: true,
    machine: 'pc',
    accel: options.accelerator === 'tcg' ? { accel: 'tcg', thread: 'multi' } : 'kvm',
    // Without rdrand the first reader of /dev/random waits a second for entropy.
    cpu: options.accelerator === 'kvm' ? 'host' : 'qemu64,+rdrand',
    memory: options.memoryMib,
    smp: options.cpus,
    kernel: options.kernelImage,
    initrd: options.initramfs,
    append: [...GUEST_KERNEL_ARGS, ...VERDICT_KERNEL_ARGS, ...options.kernelArguments],
    sandbox: hasSandbox(),
    chardevs: [
      { backend: 'socket', id: 'agent', path: options.agentSocket, server: true, wait: false },
      ...(store?.chardevs ?? []),
    ],
    blockdevs: disks.blockdevs ?? [],
    devices: [
      { driver: 'virtio-serial-pci', id: 'agent-serial' },
      {
        driver: 'virtserialport',
        bus: 'agent-serial.0',
        chardev: 'agent',
        name: AGENT_PORT,
      },
      ...disks.devices,
      ...folders.devices,
      ...(store?.devices ?? []),
    ],
    args: [...folders.fsdevs.map((fsdev) => ['fsdev', fsdev] as const), ...options.qemuArguments],
  };
}

/** The command that a person could type, shell-quoted. */
export function guestCommand(options: GuestMachineOptions): string {
  return shellQuote(['qemu-system-x86_64', ...machineArguments(guestMachineSpec(options))]);
}
