/**
 * Debian packages through a private apt: own lists, cache and state under a folder the caller owns,
 * so it needs no root and changes nothing on the machine. apt checks every file against Debian's
 * archive keyring, and that lists are as new as they claim but for a suite that is archived. The
 * mirror is the one the machine is configured with, or the caller's; the machine's proxy settings
 * stay in force. What a caller names never becomes more than one word of apt's configuration.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImagesError } from './errors.js';
import type { Progress } from './progress.js';
import { lastLines, type RunResult, run } from './run.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_SUITE =
  /^(bullseye|bookworm|trixie|forky|duke|sid|stable|oldstable|oldoldstable|testing|unstable)\b/;
/** Suites whose lists were signed for the last time: these, and no others, may have run out. */
const ARCHIVED_SUITE = /^(buster|bullseye)\b/;
const RAN_OUT = /Release file .* is expired|is expired \(invalid since/;
const UPDATE_TIMEOUT_MS = 5 * 60_000;
const DOWNLOAD_TIMEOUT_MS = 20 * 60_000;
const QUERY_TIMEOUT_MS = 60_000;

export interface AptOptions {
  /** Folder for this apt's own state; made when missing. */
  dir: string;
  /** Debian suite, such as `bookworm`; its -updates and -security too. Backports have neither. */
  suite: string;
  /** Base URL of a Debian mirror; the machine's own when not given. */
  mirror?: string | undefined;
  progress: Progress;
}

interface Sites {
  main: string;
  security: string | undefined;
  /** Take lists that have run out. */
  expired?: boolean;
}

const MIRROR_PROTOCOLS = ['http:', 'https:', 'file:'];

/**
 * Refuses what is no URL of a mirror: it becomes a word of a line of sources.list, where a space
 * would begin another word and a line feed another source.
 * Errors: MIRROR_INVALID.
 */
export function checkMirror(mirror: string): void {
  // apt takes %0a for the line feed that it stands for.
  const plain = /^[\w.~:/@!$&*+,;=%[\]-]+$/.test(mirror) && !/%([01][0-9a-f]|20|7f)/i.test(mirror);
  const isUrl = plain && /^[a-z]+:\/\//.test(mirror) && URL.canParse(mirror);
  if (isUrl && MIRROR_PROTOCOLS.includes(new URL(mirror).protocol)) return;
  throw new ImagesError(
    'MIRROR_INVALID',
    `${JSON.stringify(mirror)} is no mirror: it must be a URL with http, https or file, ` +
      'without spaces, quotes, ? or #',
  );
}

/** What one stanza of `apt-cache show` says, keys as apt writes them. */
export type PackageStanza = ReadonlyMap<string, string>;

export class PrivateApt {
  readonly #dir: string;
  readonly #suite: string;

  private constructor(options: AptOptions) {
    this.#dir = options.dir;
    this.#suite = options.suite;
  }

  /** Configures apt and downloads the package lists. Errors: KERNEL_FETCH_FAILED. */
  static async open(options: AptOptions): Promise<PrivateApt> {
    if (!existsSync(KEYRING)) {
      throw new ImagesError(
        'KERNEL_FETCH_FAILED',
        `${KEYRING} is missing, so Debian packages cannot be checked; ` +
          'install debian-archive-keyring, or give your own kernel image and build folder',
      );
    }
    if (options.mirror) checkMirror(options.mirror);
    checkDir(options.dir);
    const sites = options.mirror
      ? mirrorSites(options.mirror)
      : parseSites(await indexTargets(), options.suite);
    const apt = new PrivateApt(options);
    options.progress(`reading package lists of Debian ${options.suite} from ${sites.main}`);
    const update = async (from: Sites): Promise<RunResult> => {
      const result = await apt.#update(from);
      if (result.code === 0 || !mayHaveRunOut(options.suite, result.output)) return result;
      options.progress(
        `Debian ${options.suite} is archived and its lists have run out: they are taken as they are`,
      );
      return apt.#update({ ...from, expired: true });
    };
    let result = await update(sites);
    if (result.code !== 0 && options.mirror && sites.security) {
      options.progress('the mirror may have no security suite: trying without');
      result = await update({ main: sites.main, security: undefined });
    }
    if (result.code !== 0) {
      throw fetchError(`apt-get update failed for suite ${options.suite}`, result.output);
    }
    return apt;
  }

  /** The candidate version's stanza. Errors: KERNEL_FETCH_FAILED when the package is not there. */
  async show(name: string): Promise<PackageStanza> {
    const result = await this.#apt(
      'apt-cache',
      ['show', '--no-all-versions', name],
      QUERY_TIMEOUT_MS,
    );
    const stanza = parseStanza(result.stdout);
    if (result.code !== 0 || !stanza.has('Package')) {
      throw fetchError(`package ${name} is not in Debian ${this.#suite}`, result.output);
    }
    return stanza;
  }

  /** Downloads packages (`name` or `name=version`) and returns the paths of the .deb files. */
  async download(packages: string[]): Promise<string[]> {
    const dir = join(this.#dir, 'debs');
    await mkdir(dir, { recursive: true });
    const result = await this.#apt('apt-get', ['download', '-q', ...packages], DOWNLOAD_TIMEOUT_MS);
    if (result.code !== 0) {
      throw fetchError(`downloading ${packages.join(' ')} failed`, result.output);
    }
    const files = await readdir(dir);
    return packages.map((wanted) => {
      const name = wanted.split('=')[0]!;
      const file = files.find((candidate) => candidate.startsWith(`${name}_`));
      if (!file) throw fetchError(`apt-get download left no file for ${name}`, result.output);
      return join(dir, file);
    });
  }

  async #update(sites: Sites): Promise<RunResult> {
    for (const sub of ['lists/partial', 'archives/partial', 'etc', 'debs']) {
      await mkdir(join(this.#dir, sub), { recursive: true });
    }
    await writeFile(join(this.#dir, 'status'), '');
    await writeFile(join(this.#dir, 'etc/sources.list'), sourcesList(sites, this.#suite));
    await writeFile(join(this.#dir, 'apt.conf'), aptConf(this.#dir));
    return this.#apt('apt-get', ['update', '-q'], UPDATE_TIMEOUT_MS);
  }

  #apt(program: 'apt-get' | 'apt-cache', args: string[], timeoutMs: number) {
    // -c comes after the machine's own apt.conf.d, so it wins; hooks found there are cleared in it.
    return run(program, ['-c', join(this.#dir, 'apt.conf'), ...args], {
      cwd: join(this.#dir, 'debs'),
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      timeoutMs,
    });
  }
}

function fetchError(what: string, output: string): ImagesError {
  const message =
    `${what}:\n${lastLines(output, 6)}\n` +
    'Check the network and the mirror (option mirror, or the machine’s apt sources), ' +
    'or give your own kernel image and build folder.';
  return new ImagesError('KERNEL_FETCH_FAILED', message);
}

async function indexTargets(): Promise<string> {
  const format = '$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)';
  try {
    const result = await run('apt-get', ['indextargets', '--format', format], {
      timeoutMs: QUERY_TIMEOUT_MS,
    });
    return result.stdout;
  } catch (cause) {
    throw new ImagesError(
      'KERNEL_FETCH_FAILED',
      'apt-get is not on this machine, so no Debian kernel can be fetched; ' +
        'run on a Debian-like machine, or give your own kernel image and build folder',
      { cause },
    );
  }
}

/** Picks the Debian mirrors out of `SITE|RELEASE|COMPONENT|ORIGIN` lines. Exported for its test. */
export function parseSites(targets: string, suite: string): Sites {
  let main: string | undefined;
  let security: string | undefined;
  for (const line of targets.split('\n')) {
    const [site, release, component, origin] = line.trim().split('|');
    if (!site || !release || component !== 'main') continue;
    // ORIGIN is known only once lists were downloaded; a fresh image has none, so go by the suite.
    if (origin ? origin !== 'Debian' : !DEBIAN_SUITE.test(release)) continue;
    if (release.includes('-security') || release.includes('/updates')) security ??= site;
    else main ??= site;
  }
  if (!main) {
    throw new ImagesError(
      'KERNEL_FETCH_FAILED',
      `this machine’s apt sources name no Debian mirror, and ${suite} packages are needed; ` +
        'give the URL of a Debian mirror (option mirror), or your own kernel and build folder',
    );
  }
  return { main, security };
}

/** Whether an update failed for want of lists that nobody signs anew. Exported for its test. */
export function mayHaveRunOut(suite: string, output: string): boolean {
  return ARCHIVED_SUITE.test(suite) && RAN_OUT.test(output);
}

/** The cache's path stands in quotes in apt's configuration, and a list of paths has colons. */
function checkDir(dir: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a line feed among them.
  if (!/["\\\x00-\x1f]/.test(dir)) return;
  throw new ImagesError(
    'KERNEL_FETCH_FAILED',
    `apt cannot work in ${JSON.stringify(dir)}: name a cache directory without quotes, backslashes ` +
      'and line feeds',
  );
}

function mirrorSites(mirror: string): Sites {
  const main = mirror.replace(/\/+$/, '');
  // Debian mirrors carry the security archive beside the main one, in <root>/debian-security.
  const security = main.endsWith('/debian') ? `${main}-security` : undefined;
  return { main, security };
}

/** Exported for its test. */
export function sourcesList(sites: Sites, suite: string): string {
  const age = sites.expired ? ' check-valid-until=no' : '';
  const options = `[signed-by=${KEYRING} arch=amd64${age}]`;
  const lines = [`deb ${options} ${sites.main} ${suite} main`];
  if (suite.endsWith('-backports')) return `${lines[0]}\n`;
  lines.push(`deb ${options} ${sites.main} ${suite}-updates main`);
  if (sites.security) lines.push(`deb ${options} ${sites.security} ${suite}-security main`);
  return `${lines.join('\n')}\n`;
}

function aptConf(dir: string): string {
  return [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg;',
    '#clear APT::Architectures;',
    'APT::Architecture "amd64";',
    'APT::Architectures { "amd64"; };',
    // Files are ours, not root's: no switch to apt's own user, and no need for it.
    'APT::Sandbox::User "";',
    'Acquire::Languages "none";',
    'Acquire::PDiffs "false";',
    'Acquire::Retries "2";',
    // Otherwise an unreachable mirror is a mere warning.
    'APT::Update::Error-Mode "any";',
    'Acquire::http::Timeout "30";',
    `Dir::State "${dir}";`,
    `Dir::State::status "${dir}/status";`,
    `Dir::State::lists "${dir}/lists";`,
    `Dir::Cache "${dir}";`,
    `Dir::Cache::archives "${dir}/archives";`,
    `Dir::Etc::sourcelist "${dir}/etc/sources.list";`,
    `Dir::Etc::sourceparts "${dir}/etc/none";`,
    `Dir::Etc::preferences "${dir}/etc/none";`,
    `Dir::Etc::preferencesparts "${dir}/etc/none";`,
    '',
  ].join('\n');
}

/** The first stanza of a Packages-like text, without continuation lines. Exported for its test. */
export function parseStanza(text: string): PackageStanza {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' && fields.size > 0) break;
    const colon = line.indexOf(': ');
    if (colon > 0 && !line.startsWith(' ')) {
      fields.set(line.slice(0, colon), line.slice(colon + 2).trim());
    }
  }
  return fields;
}
