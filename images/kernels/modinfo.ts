/**
 * Reads what a kernel module says about itself: the `.modinfo` section of its ELF file, a list of
 * NUL-terminated `key=value` strings (ELF-64 object file format; Linux
 * include/linux/moduleparam.h).
 */
import { readFile } from 'node:fs/promises';
import { ImagesError } from '../errors.js';

const ELF64_HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;

export interface ModuleInfo {
  name: string;
  vermagic: string;
  /** Modules whose symbols this one uses. */
  depends: string[];
  /** Modules to load before and after, when there are such. */
  softPre: string[];
  softPost: string[];
  /** Names of its parameters. */
  parameters: string[];
}

/** Errors: MODULE_INVALID when the file is not a 64-bit little-endian ELF with a .modinfo. */
export async function readModuleInfo(path: string): Promise<ModuleInfo> {
  const bytes = await readFile(path);
  const section = findSection(bytes, '.modinfo');
  if (!section) {
    throw new ImagesError(
      'MODULE_INVALID',
      `${path} is not an uncompressed 64-bit kernel module; give the .ko that the build wrote`,
    );
  }
  return parseModinfo(section.toString('utf8'));
}

/** Parses the text of a .modinfo section. */
export function parseModinfo(text: string): ModuleInfo {
  const info: ModuleInfo = {
    name: '',
    vermagic: '',
    depends: [],
    softPre: [],
    softPost: [],
    parameters: [],
  };
  for (const entry of text.split('\0')) {
    const equals = entry.indexOf('=');
    if (equals < 0) continue;
    const value = entry.slice(equals + 1);
    switch (entry.slice(0, equals)) {
      case 'name':
        info.name = value;
        break;
      case 'vermagic':
        info.vermagic = value.trim();
        break;
      case 'depends':
        info.depends = value.split(',').filter((name) => name !== '');
        break;
      case 'parmtype':
        info.parameters.push(value.split(':')[0]!);
        break;
      case 'softdep':
        parseSoftdep(value, info);
        break;
      default:
        break;
    }
  }
  return info;
}

function parseSoftdep(value: string, info: ModuleInfo): void {
  let target = info.softPre;
  for (const word of value.split(/\s+/)) {
    if (word === 'pre:') target = info.softPre;
    else if (word === 'post:') target = info.softPost;
    else if (word !== '') target.push(word);
  }
}

function findSection(bytes: Buffer, name: string): Buffer | undefined {
  if (bytes.length < ELF64_HEADER_BYTES) return undefined;
  // e_ident: magic, class 2 (64 bits), data 1 (little-endian).
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) return undefined;
  const tableOffset = Number(bytes.readBigUInt64LE(0x28));
  const count = bytes.readUInt16LE(0x3c);
  const namesIndex = bytes.readUInt16LE(0x3e);
  const content = (index: number): Buffer | undefined => {
    const header = tableOffset + index * SECTION_HEADER_BYTES;
    if (header + SECTION_HEADER_BYTES > bytes.length) return undefined;
    const offset = Number(bytes.readBigUInt64LE(header + 0x18));
    const size = Number(bytes.readBigUInt64LE(header + 0x20));
    return offset + size <= bytes.length ? bytes.subarray(offset, offset + size) : undefined;
  };
  const names = content(namesIndex);
  if (!names) return undefined;
  for (let index = 0; index < count; index += 1) {
    const header = tableOffset + index * SECTION_HEADER_BYTES;
    if (header + SECTION_HEADER_BYTES > bytes.length) return undefined;
    const start = bytes.readUInt32LE(header);
    const end = names.indexOf(0, start);
    if (end >= start && names.toString('latin1', start, end) === name) return content(index);
  }
  return undefined;
}
