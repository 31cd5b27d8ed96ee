/**
 * What `npm start`, `npm test` and `npm run bench` call: brings a machine that has Node and git to
 * the point where the project runs, then runs it.
 *
 *   node emulator/cli/bootstrap.mjs VERB [ARGS...]
 *
 * Plain JavaScript without dependencies, because it runs before any are installed. Nothing of its
 * own goes to stdout, which belongs to the verb (--json); progress is one line a step on stderr,
 * and a step that has nothing to do says nothing. Exit codes: the verb's own; 2 usage; 69 the
 * machine lacks something that could not be installed; 70 the project itself does not compile.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXIT_USAGE = 2;
const EXIT_UNAVAILABLE = 69;
const EXIT_SOFTWARE = 70;
const NODE_MINIMUM = [20, 19];
const INSTALL_TIMEOUT_MS = 30 * 60_000;
const COMPILE_TIMEOUT_MS = 10 * 60_000;
const LOCK_WAIT_SECONDS = 1800;
/** A step shorter than this stays silent unless it fails. */
const QUIET_MS = 1500;

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const LOGS = join(ROOT, '.cache/logs');
const STARTED = Date.now();

/** Programs and libraries of the host, each with the Debian package that holds it. */
const HOST_NEEDS = [
  {
    what: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    found: () => inPath('qemu-system-x86_64'),
  },
  { what: 'gcc', package: 'gcc', found: () => inPath('gcc') },
  { what: 'make', package: 'make', found: () => inPath('make') },
  { what: 'libc.a (static C library)', package: 'libc6-dev', found: () => inLibraries('libc.a') },
  {
    what: 'libelf.so.1 (for objtool)',
    package: 'libelf1',
    found: () => inLibraries('libelf.so.1'),
  },
  { what: 'dpkg-deb', package: 'dpkg', found: () => inPath('dpkg-deb') },
  { what: 'bash', package: 'bash', found: () => inPath('bash') },
  { what: 'mke2fs (for --data-size)', package: 'e2fsprogs', found: () => inPath('mke2fs') },
  { what: 'xz (for kernel modules)', package: 'xz-utils', found: () => inPath('xz') },
  {
    what: 'flock, setpriv',
    package: 'util-linux',
    found: () => inPath('flock') && inPath('setpriv'),
  },
  {
    what: 'Debian’s archive keys',
    package: 'debian-archive-keyring',
    found: () => existsSync('/usr/share/keyrings/debian-archive-keyring.gpg'),
  },
];

/**
 * Whether the verb builds a kernel: those are named source-..., in an option, in the suite that
 * builds them all, or in the proof that takes one with KASAN when it runs in full.
 */
function buildsKernel(verb, args) {
  if (/^test:(kernels|peers|readme)$/.test(verb)) return true;
  if (args.some((arg) => /(^|[=,])source-/.test(arg))) return true;
  const proves = verb === 'promises' || (verb === 'prove' && args.includes('liar'));
  return proves && !args.includes('--quick');
}

/** A list of programs and headers, each with the Debian package that holds it. */
function needsIn(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')).map((need) => ({
    ...need,
    what: need.program ?? need.header,
    found: () =>
      need.header === undefined ? inPath(need.program) : existsSync(`/usr/include/${need.header}`),
  }));
}

/** What a verb takes beside HOST_NEEDS, from the lists that those go by who use it. */
function furtherNeeds(verb, args) {
  const needs = buildsKernel(verb, args) ? needsIn('images/kernels/build-needs.json') : [];
  if (verb === 'test:peers') needs.push(...needsIn('test/peers/needs.json'));
  if (verb === 'test') needs.push(...needsIn('test/peers/needs.json').filter(({ thin }) => thin));
  return needs;
}

class StepError extends Error {
  constructor(exitCode, message, output) {
    super(message);
    this.exitCode = exitCode;
    this.output = output;
  }
}

function say(line) {
  const seconds = ((Date.now() - STARTED) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`[${seconds} s] ${line}\n`);
}

function inPath(program) {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return dirs.some((dir) => dir !== '' && existsSync(join(dir, program)));
}

function inLibraries(file) {
  const dirs = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];
  return dirs.some((dir) => existsSync(join(dir, file)));
}

/** Runs a step with its output in a log; on failure shows the last lines and the log's path. */
async function runStep(step) {
  const { title, name, command, args, timeoutMs, exitCode, remedy } = step;
  const log = join(LOGS, `bootstrap-${name}.log`);
  const timer = setTimeout(() => say(title), step.loud ? 0 : QUIET_MS);
  const result = await collect(command, args, timeoutMs);
  clearTimeout(timer);
  mkdirSync(LOGS, { recursive: true });
  writeFileSync(log, result.output);
  if (result.code === 0) return;
  const lines = result.output.split('\n').filter((line) => line.trim() !== '');
  const tail = lines.slice(-20).map((line) => `  ${line}`);
  const why = result.timedOut ? `did not end within ${timeoutMs / 60_000} minutes` : 'failed';
  throw new StepError(
    exitCode,
    `${title} ${why}: ${[command, ...args].join(' ')}\n${tail.join('\n')}\n` +
      `${remedy} The whole output: ${relative(process.cwd(), log) || log}`,
    result.output,
  );
}

/** The running child of a step or the verb; signals to this process go to it. */
let current;

function collect(command, args, timeoutMs) {
  return new Promise((done) => {
    let output = '';
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    current = child;
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const finish = (code) => {
      clearTimeout(timer);
      current = undefined;
      done({ code, output, timedOut });
    };
    const append = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', append);
    child.stderr.setEncoding('utf8').on('data', append);
    child.on('error', (error) => {
      output += `${error.message}\n`;
      finish(1);
    });
    child.on('close', (code) => finish(code ?? 1));
  });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantMajor, wantMinor] = NODE_MINIMUM;
  if (major < wantMajor || (major === wantMajor && minor < wantMinor)) {
    throw new StepError(
      EXIT_UNAVAILABLE,
      `Node ${NODE_MINIMUM.join('.')} or newer is needed, and this is ${process.versions.node}: ` +
        'install a newer Node and try again.',
    );
  }
  if (process.platform === 'linux' && process.arch === 'x64') return;
  throw new StepError(
    EXIT_UNAVAILABLE,
    `this runs on Linux on x86-64, and this is ${process.platform} on ${process.arch}: ` +
      'use such a machine, or a virtual one.',
  );
}

async function installHostTools(needs) {
  const missing = needs.filter((need) => !need.found());
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((need) => need.package))];
  const whats = missing.map((need) => need.what).join(', ');
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  const byHand =
    `missing: ${whats}.\nOn Debian or Ubuntu, as root: ` +
    `apt-get update && apt-get ${install.join(' ')}\n` +
    'Elsewhere install what holds these, then try again.';
  const prefix = rootPrefix();
  if (!inPath('apt-get') || !prefix) {
    const why = inPath('apt-get') ? 'neither root nor sudo without a password' : 'no apt-get';
    throw new StepError(EXIT_UNAVAILABLE, `${why} here, so nothing was installed; ${byHand}`);
  }
  const apt = [...prefix, 'apt-get', '-o', 'DPkg::Lock::Timeout=120'];
  const step = (title, name, args) =>
    runStep({
      title,
      name,
      loud: true,
      command: apt[0],
      args: [...apt.slice(1), ...args],
      timeoutMs: INSTALL_TIMEOUT_MS,
      exitCode: EXIT_UNAVAILABLE,
      remedy: `Still ${byHand}`,
    });
  await step('reading package lists', 'apt-update', ['update']);
  await step(`installing ${packages.join(' ')}`, 'apt-install', install);
  const still = missing.filter((need) => !need.found()).map((need) => need.what);
  if (still.length === 0) return;
  throw new StepError(EXIT_UNAVAILABLE, `installed, but still missing: ${still.join(', ')}`);
}

/** What to put before a command to run it as root; undefined when that cannot be had. */
function rootPrefix() {
  const noninteractive = ['env', 'DEBIAN_FRONTEND=noninteractive'];
  if (process.getuid() === 0) return noninteractive;
  if (!inPath('sudo')) return undefined;
  const probe = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore', timeout: 10_000 });
  return probe.status === 0 ? ['sudo', '-n', ...noninteractive] : undefined;
}

/**
 * Whether each package of the lock file is installed as named there; optional ones may be absent.
 */
function dependenciesCurrent() {
  const installedFile = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true;
    if (!installed[path] || !existsSync(join(ROOT, path))) return entry.optional === true;
    return installed[path].version === entry.version;
  });
}

/**
 * Exactly what the lock file says. It cannot name packages for other platforms that the registry it
 * was made from did not have, and npm ci then refuses it as out of step; npm install takes the
 * locked versions all the same, and --no-save leaves the lock file alone.
 */
async function installDependencies() {
  if (dependenciesCurrent()) return;
  try {
    await npm('npm-ci', ['ci']);
  } catch (error) {
    if (!(error instanceof StepError) || !error.output?.includes('EUSAGE')) throw error;
    await npm('npm-install', ['install', '--no-save']);
  }
}

function npm(name, verb) {
  // Under npm, the same npm; its own path is the one sure way to it.
  const self = process.env.npm_execpath;
  const viaNode = self?.endsWith('.js') && existsSync(self);
  const args = [
    ...verb,
    '--ignore-scripts',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  return runStep({
    title: `installing the npm dependencies (npm ${verb.join(' ')})`,
    name,
    loud: true,
    command: viaNode ? process.execPath : 'npm',
    args: viaNode ? [self, ...args] : args,
    timeoutMs: INSTALL_TIMEOUT_MS,
    exitCode: EXIT_UNAVAILABLE,
    remedy: 'Check the network and npm’s registry setting, then try again.',
  });
}

async function compile() {
  await runStep({
    title: 'compiling the TypeScript',
    name: 'tsc',
    command: process.execPath,
    args: [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'],
    timeoutMs: COMPILE_TIMEOUT_MS,
    exitCode: EXIT_SOFTWARE,
    remedy: 'The sources do not compile: see the lines above.',
  });
}

/**
 * Keeps two runs in one checkout from installing or compiling at the same time. The kernel holds
 * the lock for a child that lives as long as its stdin, so it is free as soon as this process is
 * gone.
 */
async function withLock(work) {
  mkdirSync(LOGS, { recursive: true });
  const file = join(ROOT, '.cache/bootstrap.lock');
  const script = 'echo held; exec cat >/dev/null';
  const args = ['-w', String(LOCK_WAIT_SECONDS), file, 'sh', '-c', script];
  const holder = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise((done) => holder.on('close', done));
  const timer = setTimeout(() => say('waiting for another run in this checkout'), QUIET_MS);
  const held = await new Promise((done) => {
    holder.stdout.once('data', () => done(true));
    holder.once('error', () => done(false));
    holder.once('close', () => done(false));
  });
  clearTimeout(timer);
  if (!held) {
    throw new StepError(
      EXIT_UNAVAILABLE,
      `${file} cannot be locked: another run holds it too long`,
    );
  }
  try {
    await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

/** Signals for the verb. In a terminal, Ctrl-C reaches the whole group: once is enough. */
function forwardSignals() {
  const terminal = process.stdin.isTTY || process.stderr.isTTY;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      if (current) {
        if (name !== 'SIGINT' || !terminal) current.kill(name);
      } else {
        process.exit(128 + constants.signals[name]);
      }
    });
  }
}

/** Verbs that are vitest's, with the projects that each runs unless it is told which. */
const TEST_PROJECTS = {
  test: ['unit', 'guest'],
  'test:unit': ['unit'],
  'test:kernels': ['kernels'],
  'test:readme': ['readme'],
  'test:peers': ['peers'],
};

/** Programs of the other verbs; without one here it is `tmem`. */
const PROGRAMS = { prove: 'dist/test/proofs/main.js', promises: 'dist/test/proofs/main.js' };

function chosenProjects(projects, args) {
  if (args.some((arg) => /^--project(=|$)/.test(arg))) return [];
  return projects.map((project) => `--project=${project}`);
}

function runVerb(verb, args) {
  const projects = TEST_PROJECTS[verb];
  const target =
    projects !== undefined
      ? [
          join(ROOT, 'node_modules/vitest/vitest.mjs'),
          'run',
          ...chosenProjects(projects, args),
          ...args,
        ]
      : [join(ROOT, PROGRAMS[verb] ?? 'dist/emulator/cli/main.js'), verb, ...args];
  if (!existsSync(target[0])) {
    throw new StepError(EXIT_SOFTWARE, `${target[0]} is not there though everything was compiled`);
  }
  // vitest looks for tests from where it runs; the other verbs take paths from where the user is.
  const cwd = projects !== undefined ? ROOT : process.cwd();
  return new Promise((done) => {
    current = spawn(process.execPath, target, { cwd, stdio: 'inherit' });
    current.on('error', (error) => {
      say(`node could not be started: ${error.message}`);
      done(EXIT_UNAVAILABLE);
    });
    current.on('close', (code, signal) => done(code ?? 128 + constants.signals[signal]));
  });
}

async function main() {
  const [verb, ...args] = process.argv.slice(2);
  if (!verb) {
    process.stderr.write('usage: node emulator/cli/bootstrap.mjs VERB [ARGS...]\n');
    return EXIT_USAGE;
  }
  forwardSignals();
  checkNode();
  await installHostTools([...HOST_NEEDS, ...furtherNeeds(verb, args)]);
  await withLock(async () => {
    await installDependencies();
    await compile();
  });
  return runVerb(verb, args);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}
