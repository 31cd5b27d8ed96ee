/**
 * A run's folder is its user's alone, and what is left over of others goes, by whatever names strangers
 * give things beside it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { RunDir } from './paths.js';

const OWN = `qemu-tmem-${process.geteuid!()}`;
const BUILT = join(import.meta.dirname, '../../dist/emulator/guest/paths.js');
const STRANGER = 4_000_000;
const isRoot = process.geteuid!() === 0;

let lifetime: Lifetime;
let parent: string;
/** What must be there afterwards. */
let victim: string;
beforeEach(() => {
  lifetime = new Lifetime();
  parent = mkdtempSync(join(tmpdir(), 'tmem-private-'));
  lifetime.defer(() => rmSync(parent, { recursive: true, force: true }));
  mkdirSync(join(parent, 'elsewhere'));
  victim = join(parent, 'elsewhere', 'victim');
  writeFileSync(victim, 'precious');
});
afterEach(() => lifetime[Symbol.asyncDispose]());

function runDir(): RunDir {
  return lifetime.use(new RunDir(parent));
}

/** A process that has a run's folder, which it never removes. */
async function other(): Promise<{ child: ChildProcess; path: string }> {
  const script = `
    import { RunDir } from ${JSON.stringify(BUILT)};
    import { writeFileSync, mkdirSync } from 'node:fs';
    const dir = new RunDir(${JSON.stringify(parent)});
    mkdirSync(dir.file('a'));
    writeFileSync(dir.file('a/b'), 'x');
    process.stdout.write(dir.path);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  lifetime.defer(() => child.kill('SIGKILL'));
  const [path] = await once(child.stdout, 'data');
  return { child, path: String(path) };
}

it('is private, and nothing is left of it, nor of the folder around it', async () => {
  {
    await using dir = new RunDir(parent);
    expect(dir.path.startsWith(join(parent, OWN, 'run-'))).toBe(true);
    expect(statSync(dir.path).mode & 0o777).toBe(0o700);
    expect(statSync(join(parent, OWN)).mode & 0o777).toBe(0o700);
    mkdirSync(dir.file('folder'));
    writeFileSync(dir.file('folder/file'), '');
    symlinkSync(join(parent, 'elsewhere'), dir.file('link'));
  }
  expect(readdirSync(parent)).toEqual(['elsewhere']);
  expect(readFileSync(victim, 'utf8')).toBe('precious');
});

it('of a process that lives stays; of one that was killed goes', async () => {
  const { child, path } = await other();
  runDir();
  expect(existsSync(join(path, 'a/b'))).toBe(true);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  runDir();
  expect(existsSync(path)).toBe(false);
});

it('that is left over may hold links to anything, or be one', async () => {
  const left = join(parent, OWN, 'run-abcdef');
  mkdirSync(left, { recursive: true, mode: 0o700 });
  symlinkSync(join(parent, 'elsewhere'), join(left, 'link'));
  symlinkSync(victim, join(left, 'file'));
  symlinkSync(join(parent, 'elsewhere'), join(parent, OWN, 'run-ghijkl'));
  runDir();
  expect(existsSync(left)).toBe(false);
  expect(readFileSync(victim, 'utf8')).toBe('precious');
});

it('may be swapped for a link at any moment: nothing elsewhere is touched', async () => {
  const left = join(parent, OWN, 'run-abcdef');
  const aside = join(parent, 'aside');
  // So that the folder around it stays.
  runDir();
  const script = `
    const fs = require('node:fs');
    const [left, aside, elsewhere] = process.argv.slice(1);
    const steps = [
      () => fs.mkdirSync(left),
      () => fs.mkdirSync(left + '/x'),
      () => fs.writeFileSync(left + '/x/victim', ''),
      () => fs.renameSync(left + '/x', aside + 'x'),
      () => fs.symlinkSync(elsewhere, left + '/x'),
      () => fs.renameSync(left, aside),
      () => fs.symlinkSync(elsewhere, left),
      () => fs.unlinkSync(left),
      () => fs.rmSync(aside, { recursive: true, force: true }),
      () => fs.rmSync(aside + 'x', { recursive: true, force: true }),
    ];
    process.send('ready');
    for (let at = 0; ; at += 1) {
      try { steps[at % steps.length](); } catch {}
    }`;
  const child = spawn(process.execPath, ['-e', script, left, aside, join(parent, 'elsewhere')], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  lifetime.defer(() => child.kill('SIGKILL'));
  await once(child, 'message');
  for (let round = 0; round < 300; round += 1) {
    await using _dir = new RunDir(parent);
    expect(existsSync(victim)).toBe(true);
  }
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
});

it("is made although things have the names of other versions' folders, or of none", () => {
  writeFileSync(join(parent, 'tmem-run-4000000-x'), '');
  symlinkSync(join(parent, 'elsewhere'), join(parent, `${OWN}-abcdef`));
  runDir();
  expect(existsSync(join(parent, 'tmem-run-4000000-x'))).toBe(true);
  expect(existsSync(victim)).toBe(true);
});

it.runIf(isRoot).each(['folder', 'file', 'link'])(
  "is made although a stranger's %s has its place; what it leaves there goes too",
  async (kind) => {
    const place = join(parent, OWN);
    if (kind === 'folder') mkdirSync(place);
    if (kind === 'file') writeFileSync(place, '');
    if (kind === 'link') symlinkSync(join(parent, 'elsewhere'), place);
    if (kind !== 'link') chownSync(place, STRANGER, STRANGER);
    else chownSync(join(parent, 'elsewhere'), STRANGER, STRANGER);
    const { child, path } = await other();
    expect(path.startsWith(`${place}-`)).toBe(true);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    {
      await using _dir = new RunDir(parent);
      expect(existsSync(path)).toBe(false);
    }
    expect(readdirSync(parent).sort()).toEqual(['elsewhere', OWN].sort());
    expect(existsSync(victim)).toBe(true);
  },
);

it('is not made where others may write, and the message says what to do', () => {
  mkdirSync(join(parent, OWN));
  chmodSync(join(parent, OWN), 0o777);
  const unusable = { code: 'RUN_DIR_UNUSABLE', message: expect.stringContaining('chmod 700') };
  expect(() => new RunDir(parent)).toThrow(expect.objectContaining(unusable));
  renameSync(join(parent, OWN), join(parent, 'away'));
  runDir();
});
