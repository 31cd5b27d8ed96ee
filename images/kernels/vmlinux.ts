/**
 * Unpacks the kernel inside a bzImage once, on the host, so that no guest has to.
 *
 * Under TCG a stock kernel spends most of its boot unpacking itself (xz: 3 of 5 s). QEMU also
 * starts an ELF kernel by its PVH entry (CONFIG_PVH; Xen's docs/misc/pvh). The code is the same;
 * only the random placement of the kernel (KASLR) is lost, since that is done by the unpacker.
 * Boot header fields: Linux Documentation/arch/x86/boot.rst.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { makeDirAtomic } from '../files.js';
import type { Progress } from '../progress.js';
import { interruption } from '../run.js';

const SETUP_SECTORS_OFFSET = 0x1f1;
const SETUP_SECTORS_DEFAULT = 4;
const PAYLOAD_OFFSET_OFFSET = 0x248;
const PAYLOAD_LENGTH_OFFSET = 0x24c;
const SECTOR_BYTES = 512;
const ELF_MAGIC = 0x7f454c46;
const UNPACK_TIMEOUT_MS = 60_000;
const UNPACKED_BYTES_MAX = 512 * 1024 * 1024;

/** How each kind of payload starts, and the program that unpacks it to its standard output. */
const UNPACKERS: readonly { magic: string; command?: readonly [string, ...string[]] }[] = [
  { magic: '1f8b' },
  { magic: 'fd377a585a00', command: ['xz', '-dc', '--single-stream'] },
  { magic: '28b52ffd', command: ['zstd', '-dc', '-q'] },
  { magic: '02214c18', command: ['lz4', '-dc', '-q'] },
];

/**
 * Runs a filter over `input`. Undefined when it is not there, takes too long, or prints too much.
 */
function filter(
  command: readonly [string, ...string[]],
  input: Buffer,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(kill, UNPACK_TIMEOUT_MS);
    interruption()?.addEventListener('abort', kill, { once: true });
    const chunks: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > UNPACKED_BYTES_MAX) child.kill('SIGKILL');
    });
    child.on('error', () => resolve(undefined));
    // The unpacker may stop reading at the end of its stream, before the size that follows it.
    child.stdin.on('error', () => {});
    child.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    child.stdin.end(input);
  });
}

function gunzip(payload: Buffer): Buffer | undefined {
  try {
    return gunzipSync(payload, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch {
    return undefined;
  }
}

/** The packed kernel of a bzImage; its last four bytes are the unpacked size (gzip's own too). */
function payloadOf(image: Buffer): Buffer {
  const setupSectors = image[SETUP_SECTORS_OFFSET] || SETUP_SECTORS_DEFAULT;
  const start = (setupSectors + 1) * SECTOR_BYTES + image.readUInt32LE(PAYLOAD_OFFSET_OFFSET);
  return image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH_OFFSET));
}

async function unpack(image: Buffer): Promise<Buffer | undefined> {
  const payload = payloadOf(image);
  const kind = UNPACKERS.find(({ magic }) =>
    payload.subarray(0, magic.length / 2).equals(Buffer.from(magic, 'hex')),
  );
  if (kind === undefined) return undefined;
  const kernel = kind.command ? await filter(kind.command, payload) : gunzip(payload);
  const wanted = payload.readUInt32LE(payload.length - 4);
  if (kernel?.length !== wanted || kernel.readUInt32BE(0) !== ELF_MAGIC) return undefined;
  return kernel;
}

/** What an unpacked image is known by. */
export function imageHash(image: Buffer): string {
  return createHash('sha256').update(image).digest('hex').slice(0, 16);
}

/**
 * The path of the unpacked kernel in the cache, or of the bzImage itself where it cannot be
 * unpacked or would not start so: no CONFIG_PVH, CONFIG_KASAN, no program for its compression.
 */
export async function bootImage(
  kernel: { image: string; config: ReadonlyMap<string, string> },
  options: { cacheDir: string; progress: Progress },
): Promise<string> {
  // With KASAN the code behind the PVH entry (arch/x86/platform/pvh) is instrumented, and runs
  // before there is a shadow: a triple fault.
  const { config } = kernel;
  if (config.get('PVH') !== 'y' || config.get('KASAN') === 'y') return kernel.image;
  const image = await readFile(kernel.image);
  const hash = imageHash(image);
  const folder = join(options.cacheDir, 'vmlinux', hash);
  const path = join(folder, 'vmlinux');
  if (existsSync(path)) return path;
  options.progress(`unpacking ${basename(kernel.image)}`);
  const unpacked = await unpack(image);
  interruption()?.throwIfAborted();
  if (unpacked === undefined) return kernel.image;
  await mkdir(dirname(folder), { recursive: true });
  await makeDirAtomic(folder, (part) => writeFile(join(part, 'vmlinux'), unpacked));
  return path;
}
