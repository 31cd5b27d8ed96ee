/**
 * The proof that a host may lie: a real guest, its module's swap and hypercalls in use, and a host of
 * which every other word is false. Nothing oopses or warns, no byte is wrong, the guest lives on,
 * and an honest host serves it afterwards.
 *
 * In full it runs on a kernel with KASAN, UBSAN and lockdep. The seed decides what is lied about
 * each answer, grant and put (lies.ts), and what the guest asks; when it asks is the machine's
 * affair.
 */
import { bootGuest, type Guest } from '../../../emulator/guest/guest.js';
import { troubleIn } from '../../../emulator/guest/kernel-log.js';
import { count, PROBLEMS_MAX, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { LyingStore } from './lying-store.js';

const QUICK_KERNEL = 'debian-6.1';
const FULL_KERNEL = 'source-6.1-debug';
const BOOT_MS_MAX = 180_000;
const COMMAND_MS_MAX = 600_000;
/** Of all answers; those of swapped pages are lied about less (relay.ts). */
const SHARE = 0.95;
/**
 * Short, since lies cost time limits; a long spin, since a host that answers at once is most
 * hostile.
 */
const LIMITS = 'put_timeout_ms=100 get_timeout_ms=200 spin_us=500 check_pages=1';
const ANSWERED = 'posted_puts=0 direct_gets=0';
/** Whatever goes wrong ends the guest at once, with the reason on its console. */
const STRICT = ['panic_on_warn', 'panic_on_oops', 'softlockup_panic', 'hung_task_panic'];
/** What a kernel says of pages that cannot be had, which is what is asked of it here. */
const EXPECTED = /Read-error on swap|Write-error on swap|I\/O error|\btmem\b/;
/** /proc/sys/kernel/tainted of a module that is not the kernel's own. */
const TAINTS_ALLOWED = 4096 + 8192;
/** Takes the device from the module, and looks for it once more. */
const REPLUG =
  'for d in /sys/bus/pci/drivers/tmem/0000:*; do echo 1 >$d/remove; done; echo 1 >/sys/bus/pci/rescan';
const HAMMER_SECONDS = 10;
/** At once: most of them wait for a time limit that a lie costs. */
const HAMMERS = 12;

interface StormLine {
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly pagesLost: number;
  readonly processesDied: number;
}

class LiarProof {
  readonly problems: string[] = [];
  verified = 0;
  lost = 0;
  mismatched = 0;
  hostErrors = 0;
  headersRefused = 0;
  readonly #run: ProofRun;
  readonly #guest: Guest;
  readonly #store: LyingStore;
  #hammers = 0;

  constructor(run: ProofRun, guest: Guest, store: LyingStore) {
    this.#run = run;
    this.#guest = guest;
    this.#store = store;
  }

  #problem(text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(text);
  }

  #size(name: string): number {
    return this.#run.sizes[name]!;
  }

  #exec(command: string) {
    return this.#guest.exec(command, { timeoutMs: COMMAND_MS_MAX, signal: this.#run.signal });
  }

  /** A command that must succeed. */
  async #sh(command: string): Promise<void> {
    const { code, stderr } = await this.#exec(command);
    if (code !== 0) this.#problem(`\`${command}\` ended with ${code}: ${stderr}`);
  }

  /** A life of the kernel's begins. */
  async watch(): Promise<void> {
    const set = STRICT.map((name) => `echo 1 >/proc/sys/kernel/${name}`).join('; ');
    // A line for each lost page is the kernel's; on the console it would take most of the time.
    await this.#exec(`(${set}) 2>/dev/null; dmesg -n 1`);
  }

  /** What a life of the kernel's leaves behind in its log and its flags. */
  async look(): Promise<void> {
    const { stdout } = await this.#exec('cat /proc/sys/kernel/tainted; cat /proc/lockdep_stats');
    const taints = Number(stdout.split('\n')[0]);
    if ((taints & ~TAINTS_ALLOWED) !== 0) this.#problem(`the kernel is tainted: ${taints}`);
    if (/debug_locks: +0/.test(stdout)) this.#problem('lockdep found something');
    const log = troubleIn(await this.#guest.dmesg());
    for (const line of log) if (!EXPECTED.test(line)) this.#problem(`kernel log: ${line}`);
  }

  async #load(words: string): Promise<void> {
    await this.#sh(`insmod /lib/tmem/tmem.ko ${LIMITS} ${words}`);
  }

  /** Adds up what the module has noticed, before it goes. */
  async #noteCounters(): Promise<void> {
    const { module } = await this.#guest.counters();
    this.mismatched += module.gets_mismatched ?? 0;
    this.hostErrors += module.host_errors ?? 0;
  }

  /** Attaches to false headers, one after the other, and in the end to the true one. */
  async attachToLies(): Promise<void> {
    for (let nth = 1; nth <= this.#size('headers'); nth += 1) {
      this.#store.lieOfIdentity(nth);
      const command = `insmod /lib/tmem/tmem.ko ${LIMITS} front_end=none && rmmod tmem`;
      if ((await this.#exec(command)).code !== 0) this.headersRefused += 1;
      this.#run.progress(`${nth} false headers`);
    }
    this.#store.tellTruth();
  }

  async #storm(words: string): Promise<void> {
    const [mib, processes] = this.#run.quick ? [8, 2] : [32, 4];
    const { seed } = this.#run;
    const command = `exec storm --mib ${mib} --procs ${processes} --seed ${seed} --pageout --json ${words}`;
    const { code, stdout, stderr } = await this.#exec(command);
    if (code !== 0) this.#problem(`the storm ended with ${code}: ${stderr}`);
    const last = stdout.trim().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) return;
    const result = JSON.parse(last) as StormLine;
    this.verified += result.pagesVerified;
    this.lost += result.pagesLost;
    if (result.pagesWrong > 0) this.#problem(`${result.pagesWrong} pages came back wrong`);
  }

  /** Swaps while the host lies. */
  #swapUnderLies(): Promise<void> {
    return this.#storm(`--survive --passes 100000 --seconds ${this.#size('seconds')}`);
  }

  /** Several at once, each with a pool of its own. */
  async #hammerTogether(seconds: number): Promise<void> {
    await Promise.all(Array.from({ length: HAMMERS }, () => this.#hammer(seconds)));
  }

  async #hammer(seconds: number, words = ''): Promise<void> {
    this.#hammers += 1;
    const seed = (this.#run.seed ^ this.#hammers) >>> 0;
    const command = `exec tmemctl hammer ${seconds} --seed ${seed} ${words}`;
    const { code, stdout, stderr } = await this.#exec(command);
    if (code !== 0) this.#problem(`\`${command}\` ended with ${code}: ${stdout}${stderr}`);
  }

  /** The swap device, in the way that most guests swap: nobody waits, pages are read unasked. */
  async swapUnasked(): Promise<void> {
    await this.#load('front_end=block block_mib=64');
    await this.#sh('mkswap /dev/tmem0 >/dev/null && swapon /dev/tmem0');
    this.#store.lie(SHARE);
    await Promise.all([this.#swapUnderLies(), this.#hammer(this.#size('seconds'))]);
    this.#store.tellTruth();
    await this.#noteCounters();
    await this.#sh('swapoff /dev/tmem0 && rmmod tmem');
  }

  /** The device goes while the host lies, and is found again. */
  async unplugUnasked(): Promise<void> {
    await this.#load('front_end=block block_mib=64');
    await this.#sh('mkswap /dev/tmem0 >/dev/null && swapon /dev/tmem0');
    this.#store.lie(SHARE);
    await Promise.all([
      this.#swapUnderLies(),
      this.#hammer(this.#size('seconds')),
      this.#sh(`sleep 1; ${REPLUG}`),
    ]);
    this.#store.tellTruth();
    await this.#noteCounters();
    await this.#sh('swapoff /dev/tmem0 && rmmod tmem');
  }

  /** frontswap, above a fail-stop device, with every put and get answered. */
  async swapAnswered(): Promise<void> {
    await this.#load(`front_end=auto failstop=/dev/vda ${ANSWERED}`);
    await this.#sh('mkswap /dev/failstop0 >/dev/null && swapon /dev/failstop0');
    this.#store.lie(SHARE);
    await Promise.all([this.#swapUnderLies(), this.#hammer(this.#size('seconds'))]);
    for (let before = -HAMMERS; ; ) {
      const { repliesLied } = this.#store.counts();
      if (repliesLied - before < HAMMERS) this.#problem('the host has all but stopped to answer');
      before = repliesLied;
      this.#run.progress(`${count(repliesLied)} false answers`);
      if (repliesLied >= this.#size('replies') || this.problems.length > 0) break;
      await this.#hammerTogether(this.#run.quick ? 1 : HAMMER_SECONDS);
    }
    this.#store.tellTruth();
    // Slots that were promised twice may be in use still, so pages may be lost, but none is wrong.
    await this.#storm('--survive --passes 1');
    await this.#noteCounters();
  }

  /** An honest host and a new life of the module's: nothing is lost or wrong. */
  async serveHonestly(): Promise<void> {
    await this.#load('front_end=block block_mib=64');
    await this.#sh('mkswap /dev/tmem0 >/dev/null && swapon /dev/tmem0');
    await this.#storm('--passes 1');
    await this.#hammer(1, '--verify');
    const { module } = await this.#guest.counters();
    const { lost = 0, gets_mismatched: mismatched = 0, host_errors: errors = 0 } = module;
    if (lost + mismatched + errors > 0) {
      this.#problem(`an honest host: ${lost} lost, ${mismatched} mismatched, ${errors} errors`);
    }
    await this.#sh('swapoff /dev/tmem0 && rmmod tmem');
  }

  async all(): Promise<void> {
    await this.watch();
    await this.attachToLies();
    await this.swapUnasked();
    if (!this.#run.quick) await this.unplugUnasked();
    await this.serveHonestly();
    await this.swapAnswered();
    await this.look();
    if (this.#run.quick) return;
    // With frontswap the module stays for the kernel's life.
    await this.#guest.beginAgain();
    await this.watch();
    await this.serveHonestly();
    await this.look();
  }
}

async function prove(run: ProofRun): Promise<ProofResult> {
  let store: LyingStore | undefined;
  await using guest = await bootGuest({
    kernel: run.quick ? QUICK_KERNEL : FULL_KERNEL,
    memoryMib: run.quick ? 192 : 512,
    cpus: 2,
    swap: 'none',
    bootTimeoutMs: BOOT_MS_MAX,
    signal: run.signal,
    between: async (path) => {
      store = await LyingStore.listen(`${path}.liar`, run.seed);
      return store;
    },
  });
  const proof = new LiarProof(run, guest, store!);
  let gone: string[] = [];
  try {
    await proof.all();
  } catch (error) {
    run.signal.throwIfAborted();
    gone = [(error as Error).message];
  }
  const { replies, repliesLied, faults, lies } = store!.counts();
  const problems = [...proof.problems, ...gone];
  const { verified, lost, mismatched, hostErrors, headersRefused } = proof;
  if (faults > 0) problems.push(`the session behind the liar cut the guest off ${faults} times`);
  if (mismatched === 0) problems.push('no false page was noticed');
  if (hostErrors === 0) problems.push('no false word was noticed');
  const words = repliesLied + lies.credit + lies.creditTail + lies.head + lies.header + lies.page;
  return {
    problems,
    figure:
      `${count(repliesLied)} false answers of ${count(replies)}, ${count(words)} lies, ` +
      `${count(verified)} pages verified, 0 wrong, ${count(lost)} lost`,
    numbers: {
      replies,
      repliesLied,
      words,
      verified,
      lost,
      mismatched,
      hostErrors,
      headersRefused,
    },
  };
}

export const liar: Proof = {
  name: 'liar',
  about: 'a host that lies: no oops, no warning, no wrong data, and the guest lives on',
  sizes: {
    replies: { quick: 3000, full: 1_000_000, about: 'false answers that somebody waits for' },
    headers: { quick: 12, full: 300, about: 'false headers to attach to' },
    seconds: { quick: 2, full: 60, about: 'seconds of swap in each of two ways' },
  },
  run: prove,
};
