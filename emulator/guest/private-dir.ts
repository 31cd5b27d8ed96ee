/**
 * A folder that is its maker's alone, in a place where others may make and rename things: `parent`
 * is often /tmp.
 *
 * All of a user's folders lie in one of mode 0700 that is named after the user, so that nobody
 * else can put anything beside them. Each is locked (flock) by the process that made it as long as
 * that lives; those that nobody has locked are left over, and whoever makes the next one removes
 * them. What is removed is found by descriptor, and no symbolic link is followed: another user
 * cannot have anything else removed, whatever is renamed meanwhile. A stranger's folder is left
 * alone, also where it has the name that ours should have.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../errors.js';
import { tryLock } from '../native/libc.js';

const PREFIX = 'qemu-tmem';
/** Of a folder for one run, behind which six characters come. */
const NAME = 'run-';
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const OTHERS = 0o077;
/** Others remove and make things at the same time: each failure is one that was faster. */
const TRIES_MAX = 20;

/** What is in an open folder, by a path that holds whatever becomes of the folder's own. */
function inside(fd: number, name = ''): string {
  return `/proc/self/fd/${fd}/${name}`;
}

function ownId(): number {
  return process.geteuid!();
}

/** Removes all that is in an open folder; what cannot be removed stays. */
function empty(fd: number): void {
  for (const name of readdirSync(inside(fd))) remove(fd, name);
}

function remove(fd: number, name: string): void {
  try {
    const path = inside(fd, name);
    if (!lstatSync(path).isDirectory()) {
      unlinkSync(path);
      return;
    }
    const folder = openSync(path, FOLDER);
    try {
      empty(folder);
    } finally {
      closeSync(folder);
    }
    rmdirSync(path);
  } catch {
    // It has gone meanwhile, or is in use, or is not ours.
  }
}

/** @returns undefined when there is no such folder, or it is a stranger's */
function openOwn(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, FOLDER);
  } catch {
    return undefined;
  }
  if (fstatSync(fd).uid === ownId()) return fd;
  closeSync(fd);
  return undefined;
}

/**
 * The user's folder in `parent`, open, and where it is. Where a stranger has taken its name, one
 * with another name; those of a time when that was so are found again.
 */
function openUserDir(parent: string): { path: string; fd: number } {
  const path = join(parent, `${PREFIX}-${ownId()}`);
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const fd = openOwn(path);
  if (fd !== undefined) {
    const mode = fstatSync(fd).mode & 0o777;
    if ((mode & OTHERS) === 0) return { path, fd };
    closeSync(fd);
    throw new Error(
      `others may read or write ${path} (mode ${mode.toString(8)}): "chmod 700 ${path}" ends ` +
        'that, once it holds nothing that you have not put there',
    );
  }
  const made = mkdtempSync(`${path}-`);
  return { path: made, fd: openSync(made, FOLDER) };
}

/** Removes what runs have left that were killed before they could. */
function sweep(fd: number): void {
  for (const name of readdirSync(inside(fd))) {
    if (!name.startsWith(NAME)) continue;
    const folder = openOwn(inside(fd, name));
    if (folder === undefined) continue;
    try {
      if (tryLock(folder)) {
        empty(folder);
        rmdirSync(inside(fd, name));
      }
    } catch {
      // Somebody else was faster.
    } finally {
      closeSync(folder);
    }
  }
}

/** Also of folders that a stranger had us give another name. */
function sweepAll(parent: string, fd: number): void {
  try {
    sweep(fd);
    const others = new RegExp(`^${PREFIX}-${ownId()}-......$`);
    for (const name of readdirSync(parent).filter((one) => others.test(one))) {
      const other = openOwn(join(parent, name));
      if (other === undefined) continue;
      try {
        sweep(other);
        rmdirSync(join(parent, name));
      } catch {
        // Some are in use.
      } finally {
        closeSync(other);
      }
    }
  } catch {
    // What is left over is of no harm to this run.
  }
}

function gone(): Error {
  return Object.assign(new Error('another process removed it'), { code: 'ENOENT' });
}

/** Where there are no locks, nothing can be told to be left over, and so nothing is removed. */
function lock(fd: number): void {
  let isOurs: boolean;
  try {
    isOurs = tryLock(fd);
  } catch {
    return;
  }
  if (!isOurs) throw gone();
}

export class PrivateDir {
  readonly path: string;
  readonly #userDir: string;
  readonly #name: string;
  /** Holds the lock. */
  readonly #fd: number;
  #isThere = true;

  private constructor(userDir: string, name: string, fd: number) {
    this.#userDir = userDir;
    this.#name = name;
    this.#fd = fd;
    this.path = join(userDir, name);
  }

  /** @throws the system's error for what cannot be made */
  static make(parent: string): PrivateDir {
    for (let tries = 1; ; tries += 1) {
      const { path, fd } = openUserDir(parent);
      try {
        if (tries === 1) sweepAll(parent, fd);
        return PrivateDir.#makeIn(path, fd);
      } catch (error) {
        // Whoever was the last to have something there has removed it.
        if (codeOf(error) !== 'ENOENT' || tries === TRIES_MAX) throw error;
      } finally {
        closeSync(fd);
      }
    }
  }

  /** @throws ENOENT also when a sweep took it before it was locked */
  static #makeIn(userDir: string, userFd: number): PrivateDir {
    const made = mkdtempSync(inside(userFd, NAME));
    const name = made.slice(inside(userFd).length);
    const fd = openSync(made, FOLDER);
    try {
      lock(fd);
      if (lstatSync(made).ino !== fstatSync(fd).ino) throw gone();
      return new PrivateDir(userDir, name, fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Removes it with all that is in it, and the user's folder when nothing else is there. */
  remove(): void {
    if (!this.#isThere) return;
    this.#isThere = false;
    try {
      empty(this.#fd);
      const userFd = openOwn(this.#userDir);
      if (userFd === undefined) return;
      try {
        rmdirSync(inside(userFd, this.#name));
      } finally {
        closeSync(userFd);
      }
      rmdirSync(this.#userDir);
    } catch {
      // Others have theirs there.
    } finally {
      closeSync(this.#fd);
    }
  }
}
