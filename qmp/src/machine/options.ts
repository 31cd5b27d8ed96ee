// QEMU's option syntax: `-flag value` or `-flag first,key=value,...`. What always holds: a comma in
// a value is doubled (QEMU's manual, "Device properties"; util/keyval.c), so a path cannot start a
// new option; a member that is undefined is left out; nothing here runs anything.

import { QmpError } from '../errors.js';

/** `QMP_MACHINE_SPEC`: the description of the machine cannot be turned into arguments. */
export class MachineSpecError extends QmpError {
  constructor(message: string) {
    super('QMP_MACHINE_SPEC', message);
  }
}

/** true and false are written on and off; a nested object becomes dotted keys (`file.driver=`). */
export type OptionValue = string | number | bigint | boolean | undefined | OptionProperties;
export interface OptionProperties {
  readonly [key: string]: OptionValue;
}

/** A raw argument, or a flag with a value: properties are joined with commas, text stands as is. */
export type QemuOption = string | readonly [flag: string, value: string | OptionProperties];

/** Double the commas of a value that goes into a comma-separated option. */
export function escapeComma(value: string): string {
  return value.replaceAll(',', ',,');
}

function appendProperties(into: string[], prefix: string, properties: OptionProperties): void {
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (!/^[A-Za-z0-9_.-]+$/.test(key)) {
      throw new MachineSpecError(`"${key}" is no name of a QEMU option`);
    }
    const name = prefix + key;
    if (typeof value === 'object') appendProperties(into, `${name}.`, value);
    else if (typeof value === 'boolean') into.push(`${name}=${value ? 'on' : 'off'}`);
    else into.push(`${name}=${escapeComma(String(value))}`);
  }
}

/**
 * `formatOption({ driver: 'virtio-blk-pci', drive: 'd0' }, 'driver')` is
 * `virtio-blk-pci,drive=d0`.
 * @param implied the member written first and without its name, as QEMU's manual writes it
 * @throws MachineSpecError when it is missing, or a member's name is none
 */
export function formatOption(properties: OptionProperties, implied?: string): string {
  const parts: string[] = [];
  let rest = properties;
  if (implied !== undefined) {
    const { [implied]: first, ...others } = properties;
    if (typeof first !== 'string' || first === '') {
      throw new MachineSpecError(`${JSON.stringify(properties)} lacks its "${implied}"`);
    }
    parts.push(escapeComma(first));
    rest = others;
  }
  appendProperties(parts, '', rest);
  if (parts.length === 0) throw new MachineSpecError('An option needs at least one member');
  return parts.join(',');
}

/** `['device', {...}]` and `['-device', {...}]` both give `-device ...`. */
export function formatOptions(options: readonly QemuOption[]): string[] {
  return options.flatMap((option) => {
    if (typeof option === 'string') return [option];
    const [flag, value] = option;
    const text = typeof value === 'string' ? value : formatOption(value);
    return [flag.startsWith('-') ? flag : `-${flag}`, text];
  });
}

/** One line a POSIX shell splits back into exactly these words. */
export function shellQuote(argv: readonly string[]): string {
  return argv
    .map((word) =>
      /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
    )
    .join(' ');
}
