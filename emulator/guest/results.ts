/**
 * Results out of the guest: a file or folder, copied to the host after a command.
 *
 * The guest is hostile, so its archive is only read as names and bytes: files and folders are made
 * anew in a folder of our own beside the destination, where nothing is but what was made there, and
 * the whole is renamed into place. Links and devices are left out, and nothing that stands on the
 * host is ever followed or written into. Bytes and entries are bounded.
 */
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { shellQuote } from '@qemu-tmem/qmp';
import { Parser, type ReadEntry } from 'tar';
import type { GuestProcess } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { Guest } from './guest.js';

export const RESULT_BYTES_MAX = 2 ** 30;
const ENTRIES_MAX = 100_000;
const DEPTH_MAX = 64;
const NAME_BYTES_MAX = 255;
const RESULT_MS_MAX = 10 * 60_000;
const SIGKILL = 9;
const ERROR_CHARS_MAX = 300;
/** What the guest's side ends with when the path is not there. */
const MISSING_CODE = 66;

/** A path of the guest's, and where it goes on the host. */
export interface ResultPath {
  readonly path: string;
  /** The file or folder to be; it is not there yet, or is a file. */
  readonly destination: string;
}

export interface FetchLimits {
  readonly bytesMax?: number;
  readonly signal?: AbortSignal;
}

const FILE_TYPES: ReadonlySet<string> = new Set(['File', 'OldFile', 'ContiguousFile']);
const FOLDER_TYPES: ReadonlySet<string> = new Set(['Directory', 'GNUDumpDir']);

/**
 * Reads `PATH` or `PATH:DEST`: DEST is a folder to put it into, or its new name; default here.
 * @throws TmemError (RESULT_UNUSABLE) when it could not be put there
 */
export function resultPath(words: string): ResultPath {
  const colon = words.indexOf(':');
  const path = colon < 0 ? words : words.slice(0, colon);
  const wanted = resolve(colon < 0 ? '.' : words.slice(colon + 1));
  const name = posix.basename(path);
  if (name === '' || name === '.' || name === '..') {
    throw new TmemError(
      'RESULT_UNUSABLE',
      `--get ${words}: name a file or a folder of the guest's`,
    );
  }
  const isFolder = (at: string): boolean =>
    statSync(at, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const destination = isFolder(wanted) ? join(wanted, name) : wanted;
  if (isFolder(destination)) {
    const message = `${destination} is there already; remove it, or give another name: ${path}:NAME`;
    throw new TmemError('RESULT_UNUSABLE', message);
  }
  if (!isFolder(dirname(destination))) {
    throw new TmemError('RESULT_UNUSABLE', `${dirname(destination)} is no folder; make it first`);
  }
  return { path, destination };
}

/**
 * Copies one result.
 * @returns how many links and devices were left out
 * @throws TmemError (RESULT_UNUSABLE), or the signal's reason; then nothing is left of it
 */
export async function fetchResult(
  guest: Guest,
  { path, destination }: ResultPath,
  { bytesMax = RESULT_BYTES_MAX, signal }: FetchLimits = {},
): Promise<number> {
  const timeout = AbortSignal.timeout(RESULT_MS_MAX);
  const limit = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const part = await mkdtemp(join(dirname(destination), '.tmem-get-')).catch((cause: Error) => {
    throw unusable(path, `no folder can be made beside ${destination}: ${cause.message}`);
  });
  const name = shellQuote([posix.basename(path)]);
  const command = [
    `cd -- ${shellQuote([posix.dirname(path)])} 2>/dev/null || exit ${MISSING_CODE}`,
    `[ -e ./${name} ] || exit ${MISSING_CODE}`,
    `exec tar -cf - ./${name}`,
  ].join('; ');
  let child: GuestProcess | undefined;
  try {
    child = guest.spawn(command);
    child.stdin.end();
    const errors = firstWords(child.stderr);
    const into = new ResultFolder(part, posix.basename(path), bytesMax);
    const [taken, exit] = await within(limit, Promise.allSettled([take(into, child), child.exit]));
    if (exit.status === 'rejected') throw unusable(path, exit.reason.message, exit.reason);
    if (exit.value === MISSING_CODE) throw unusable(path, 'it is not there in the guest');
    if (taken.status === 'rejected') throw unusable(path, taken.reason.message, taken.reason);
    if (exit.value !== 0) {
      const said = words(await within(limit, errors));
      throw unusable(path, `tar ended with ${exit.value} in the guest: ${said}`);
    }
    if (!existsSync(into.path)) throw unusable(path, 'the guest sent none of this name');
    await rename(into.path, destination).catch((cause: Error) => {
      throw unusable(path, `it cannot be put on ${destination}: ${cause.message}`, cause);
    });
    return into.leftOut;
  } catch (error) {
    if (error !== timeout.reason) throw error;
    throw unusable(path, `it did not come within ${RESULT_MS_MAX / 1000} s`, error);
  } finally {
    child?.kill(SIGKILL);
    child?.stdout.destroy();
    child?.stderr.destroy();
    await rm(part, { recursive: true, force: true });
  }
}

/** Reads the archive; a command whose archive is no good is ended. */
async function take(into: ResultFolder, child: GuestProcess): Promise<void> {
  try {
    await into.take(child.stdout);
  } catch (error) {
    child.kill(SIGKILL);
    child.stdout.destroy();
    throw error;
  }
}

/** The beginning of a stream, which is read to its end and not kept. */
function firstWords(stream: Readable): Promise<string> {
  let kept = '';
  stream.on('data', (chunk: Buffer) => {
    if (kept.length < ERROR_CHARS_MAX) kept += chunk.toString('utf8', 0, ERROR_CHARS_MAX);
  });
  return new Promise((done) => stream.once('close', () => done(kept)));
}

/** What a promise gives, unless the limit comes first: a guest may never end what it began. */
function within<T>(limit: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(limit.reason);
    if (limit.aborted) late();
    limit.addEventListener('abort', late, { once: true });
    promise.then(resolve, reject).finally(() => limit.removeEventListener('abort', late));
  });
}

/** A new, private folder, and the entries of an archive in it. */
class ResultFolder {
  leftOut = 0;
  /** Where the one file or folder is that the archive is to hold. */
  readonly path: string;
  readonly #root: string;
  readonly #bytesMax: number;
  #bytes = 0;
  #entries = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(root: string, name: string, bytesMax: number) {
    this.#root = root;
    this.path = join(root, name);
    this.#bytesMax = bytesMax;
  }

  /** Reads an archive to its end, as fast as it can be written. */
  async take(archive: AsyncIterable<Buffer>): Promise<void> {
    const parser = new Parser({
      strict: true,
      onReadEntry: (entry) => {
        this.#work = this.#work.then(() => this.#add(entry));
        this.#work.catch((error: Error) => parser.abort(error));
      },
    });
    const failed = new Promise<never>((_resolve, reject) => parser.once('error', reject));
    failed.catch(() => {});
    const read = async (): Promise<void> => {
      for await (const chunk of archive) {
        if (!parser.write(chunk)) await once(parser, 'drain');
      }
      const ended = once(parser, 'end');
      parser.end();
      await ended;
      await this.#work;
    };
    await Promise.race([read(), failed]);
  }

  async #add(entry: ReadEntry): Promise<void> {
    this.#entries += 1;
    if (this.#entries > ENTRIES_MAX) throw new Error(`it holds more than ${ENTRIES_MAX} entries`);
    const path = this.#pathOf(entry.path);
    if (FOLDER_TYPES.has(entry.type)) {
      await mkdir(path, { recursive: true, mode: 0o755 });
      entry.resume();
    } else if (FILE_TYPES.has(entry.type)) {
      await mkdir(dirname(path), { recursive: true });
      await this.#write(path, entry);
    } else {
      this.leftOut += 1;
      entry.resume();
    }
  }

  /** Where an entry goes: below the one name, by parts that lead nowhere else. */
  #pathOf(name: string): string {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    const fits =
      parts[0] === basename(this.path) &&
      parts.length <= DEPTH_MAX &&
      parts.every(
        (part) =>
          part !== '..' && !part.includes('\0') && Buffer.byteLength(part) <= NAME_BYTES_MAX,
      );
    if (!fits) throw new Error(`it holds the name ${words(name)}`);
    return join(this.#root, ...parts);
  }

  async #write(path: string, entry: ReadEntry): Promise<void> {
    const mode = (entry.mode ?? 0o644) & 0o111 ? 0o755 : 0o644;
    // Exclusively: a name that comes twice is refused.
    const file = await open(path, 'wx', mode);
    try {
      for await (const chunk of entry) {
        this.#bytes += (chunk as Buffer).length;
        if (this.#bytes > this.#bytesMax) {
          throw new Error(`it holds more than ${this.#bytesMax >> 20} MiB`);
        }
        await file.writeFile(chunk as Buffer);
      }
    } finally {
      await file.close();
    }
  }
}

/** The guest's own words, cut and without what a terminal would obey. */
function words(said: string): string {
  return said.trim().slice(0, ERROR_CHARS_MAX).replace(/\p{C}/gu, '?');
}

function unusable(path: string, why: string, cause?: unknown): TmemError {
  return new TmemError('RESULT_UNUSABLE', `${path} cannot be had from the guest: ${why}`, cause);
}
