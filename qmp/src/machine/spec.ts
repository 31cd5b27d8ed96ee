// The typed description of a machine, and the arguments made from it. What always holds: the same
// description gives the same arguments in the same order; nothing is added that was not asked for,
// but `-display none` (a launcher has no screen) unless `display` says otherwise.

import { formatOption, formatOptions, type OptionProperties, type QemuOption } from './options.js';

/** `-device`: `driver` first, then its properties. */
export type DeviceSpec = OptionProperties & { readonly driver: string; readonly id?: string };
/** `-chardev`: `backend` first (`socket`, `file`, `pipe` ...). */
export type ChardevSpec = OptionProperties & { readonly backend: string; readonly id: string };
/** `-object`: `qom-type` first. */
export type ObjectSpec = OptionProperties & { readonly 'qom-type': string; readonly id?: string };
/** `-blockdev`: nested members become dotted keys. */
export type BlockdevSpec = OptionProperties & { readonly driver: string };
/** `-netdev`: `type` first. */
export type NetdevSpec = OptionProperties & { readonly type: string; readonly id: string };
/** `-machine`: `type` first. */
export type MachineTypeSpec = OptionProperties & { readonly type: string };
/** `-accel`: `accel` first (`tcg`, `kvm`). */
export type AccelSpec = OptionProperties & { readonly accel: string };

export interface MachineSpec {
  /** Default `qemu-system-x86_64`, looked up in PATH. */
  readonly binary?: string;
  /** Where `qemu.log` goes (made when missing). Files there are kept: they are the caller's. */
  readonly logDir: string;
  /**
   * A file for what the guest writes to its first serial port; kept. `Machine` writes it, beginning
   * and end of what is too much; typed by a person, QEMU does, all of it.
   */
  readonly console?: string;
  /** Give `-nodefaults` when false. Default true: QEMU's own default devices. */
  readonly defaults?: boolean;
  /** Give `-no-user-config` when false. Default true. */
  readonly userConfig?: boolean;
  /** Give `-no-reboot` when true: a guest that resets ends QEMU. */
  readonly noReboot?: boolean;
  /** Give `-S`: the CPUs wait for `cont`. */
  readonly paused?: boolean;
  readonly name?: string;
  /** Default `none`. */
  readonly display?: string;
  readonly machine?: string | MachineTypeSpec;
  readonly accel?: string | AccelSpec;
  readonly cpu?: string | OptionProperties;
  /** MiB as a number, or QEMU's own text (`2G`). */
  readonly memory?: number | string;
  readonly smp?: number | OptionProperties;
  readonly kernel?: string;
  readonly initrd?: string;
  /** The kernel's command line; words are joined with spaces. */
  readonly append?: string | readonly string[];
  readonly objects?: readonly ObjectSpec[];
  readonly chardevs?: readonly ChardevSpec[];
  readonly blockdevs?: readonly BlockdevSpec[];
  readonly drives?: readonly OptionProperties[];
  readonly netdevs?: readonly NetdevSpec[];
  readonly devices?: readonly DeviceSpec[];
  /** `-serial` values, after the console's when there is one. */
  readonly serials?: readonly string[];
  /** A second QMP monitor on this UNIX socket path, for people with a shell. */
  readonly monitorPath?: string;
  /**
   * `-sandbox`: system calls that QEMU has no use for are refused it. True is all that it can be
   * told; give properties to leave some out. Default: none.
   */
  readonly sandbox?: boolean | OptionProperties;
  /** Anything else, last. */
  readonly args?: readonly QemuOption[];
  /** Descriptors QEMU inherits: the first becomes 4, see `inheritedFd`. They stay the caller's. */
  readonly fds?: readonly number[];
  /** Environment of QEMU; default this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Until QMP answers, milliseconds. Default 30 s. */
  readonly launchTimeoutMs?: number;
}

/** Descriptor 3 is the monitor's; those of `MachineSpec.fds` follow. */
const INHERITED_FD_FIRST = 4;

/** The number under which QEMU sees `fds[index]`. */
export function inheritedFd(index: number): number {
  return INHERITED_FD_FIRST + index;
}

export const BINARY_DEFAULT = 'qemu-system-x86_64';

function named(value: string | OptionProperties, implied?: string): string {
  return typeof value === 'string' ? value : formatOption(value, implied);
}

function hardwareArguments(spec: MachineSpec): string[] {
  const argv: string[] = [];
  const add = (flag: string, value: string | undefined): void => {
    if (value !== undefined) argv.push(flag, value);
  };
  add('-name', spec.name);
  add('-machine', spec.machine && named(spec.machine, 'type'));
  add('-accel', spec.accel && named(spec.accel, 'accel'));
  add('-cpu', spec.cpu && named(spec.cpu, typeof spec.cpu === 'object' ? 'model' : undefined));
  add('-m', typeof spec.memory === 'number' ? `${spec.memory}M` : spec.memory);
  add('-smp', typeof spec.smp === 'object' ? formatOption(spec.smp) : spec.smp?.toString());
  add('-kernel', spec.kernel);
  add('-initrd', spec.initrd);
  add('-append', typeof spec.append === 'string' ? spec.append : spec.append?.join(' '));
  return argv;
}

/** Where the console goes: a file for a person, a descriptor of the launcher's. */
function consoleChardev(path: string, fd: number | undefined): ChardevSpec {
  const id = 'qmp-console';
  return fd === undefined ? { backend: 'file', id, path } : { backend: 'socket', id, fd };
}

/** No new process, no other user, no other priority, no system call of yesterday. */
const SANDBOX: OptionProperties = {
  obsolete: 'deny',
  elevateprivileges: 'deny',
  spawn: 'deny',
  resourcecontrol: 'deny',
};

function sandboxArguments({ sandbox = false }: MachineSpec): string[] {
  if (sandbox === false) return [];
  const properties = sandbox === true ? SANDBOX : sandbox;
  return ['-sandbox', ['on', formatOption(properties)].join(',')];
}

function deviceArguments(spec: MachineSpec, consoleFd: number | undefined): string[] {
  const argv: string[] = [];
  const addAll = (
    flag: string,
    entries: readonly OptionProperties[] | undefined,
    implied?: string,
  ): void => {
    for (const entry of entries ?? []) argv.push(flag, formatOption(entry, implied));
  };
  // Back ends before the devices that name them.
  addAll('-object', spec.objects, 'qom-type');
  addAll('-chardev', spec.chardevs, 'backend');
  addAll('-blockdev', spec.blockdevs, 'driver');
  addAll('-drive', spec.drives);
  addAll('-netdev', spec.netdevs, 'type');
  addAll('-device', spec.devices, 'driver');
  if (spec.console !== undefined) {
    addAll('-chardev', [consoleChardev(spec.console, consoleFd)], 'backend');
    argv.push('-serial', 'chardev:qmp-console');
  }
  for (const serial of spec.serials ?? []) argv.push('-serial', serial);
  return argv;
}

/**
 * The arguments of QEMU for this description, without the binary and without the monitor that
 * `Machine.launch` adds: what a person would type. With `consoleFd` the console is that inherited
 * descriptor, as for `Machine.launch`.
 * @throws MachineSpecError
 */
export function machineArguments(spec: MachineSpec, consoleFd?: number): string[] {
  const argv: string[] = [];
  if (spec.userConfig === false) argv.push('-no-user-config');
  if (spec.defaults === false) argv.push('-nodefaults');
  if (spec.noReboot) argv.push('-no-reboot');
  argv.push('-display', spec.display ?? 'none');
  if (spec.paused) argv.push('-S');
  argv.push(...hardwareArguments(spec), ...deviceArguments(spec, consoleFd));
  if (spec.monitorPath !== undefined) {
    const socket = { backend: 'socket', id: 'qmp-second', path: spec.monitorPath };
    argv.push('-chardev', formatOption({ ...socket, server: true, wait: false }, 'backend'));
    argv.push('-mon', 'chardev=qmp-second,mode=control');
  }
  argv.push(...sandboxArguments(spec), ...formatOptions(spec.args ?? []));
  return argv;
}

/** The whole command on one line, shell-quoted, without the launcher's own monitor. */
export function machineCommand(spec: MachineSpec, consoleFd?: number): string[] {
  return [spec.binary ?? BINARY_DEFAULT, ...machineArguments(spec, consoleFd)];
}
