/**
 * One run of somebody else's program in a guest, and the verdict on it: its own, the kernel log's,
 * and the counters'. A run in which nothing was swapped proves nothing and is no pass.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Guest, troubleIn } from 'qemu-tmem';
import { counterProblems, settledCounters } from '../../emulator/guest/storm.js';
import { swapShare } from '../../emulator/guest/swap-share.js';
import { execWatched } from '../../emulator/guest/watched.js';

export interface PeerCase {
  readonly name: string;
  /** Lines for /bin/sh, run in an empty folder. */
  readonly script: string;
  /** Where that folder is made; default /tmp, a tmpfs. */
  readonly below?: string;
  /** Of a memory cgroup around the script; without it the guest's own memory is the bound. */
  readonly limitMib?: number;
  /** Pages that must have been swapped to the store meanwhile; fewer are no test. */
  readonly putsMin: number;
  /** The part of the swapped pages that must come to the store, not to a disk; default half. */
  readonly shareMin?: number;
  /** What the program prints when its own checks are done and right. */
  readonly says: RegExp;
  /** What it prints when they are not, whatever it exits with. */
  readonly neverSays?: RegExp;
  /** What else is wrong with its output. */
  readonly judge?: (output: string) => string[];
  /** What of its output is worth a line. */
  readonly summary?: (output: string) => string;
  /** Its input. */
  readonly stdin?: string;
  /** It has memory cgroups of its own killed, and the kernel says so at length. */
  readonly killsCgroups?: true;
  readonly timeoutMs?: number;
}

export interface PeerResult {
  readonly output: string;
  /** Why it is no pass; empty when it is one. */
  readonly problems: string[];
  /** One line for people. */
  readonly figures: string;
}

export const PEER_MS_MAX = 600_000;
const SHARE_MIN = 0.5;
const CLEAN_UP_MS_MAX = 60_000;
const OUTPUT_CHARS_MAX = 2000;
const GONE_POLL_MS = 100;
const GONE_POLLS_MAX = 100;

const folderOf = ({ below = '/tmp' }: PeerCase): string => `${below}/peer`;
const CGROUP = '/sys/fs/cgroup/peer';

/** Kills of a memory cgroup are counted in it, and the count goes with it. */
const KILLS = `awk '/^oom_kill / { print $2 }' ${CGROUP}/memory.events`;

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function commandOf(peer: PeerCase): string {
  const { script, limitMib } = peer;
  const folder = folderOf(peer);
  const lines = [`set -e; rm -rf ${folder}; mkdir ${folder}; cd ${folder}`];
  if (limitMib !== undefined) {
    lines.push('echo +memory >/sys/fs/cgroup/cgroup.subtree_control', `mkdir -p ${CGROUP}`);
    lines.push(`echo ${limitMib}M >${CGROUP}/memory.max`, `echo $$ >${CGROUP}/cgroup.procs`);
  }
  lines.push(`exec sh -c ${quoted(script)} 2>&1`);
  return lines.join('\n');
}

/** Removes what the run left; its last processes may still be going. Gives the kills by cgroup. */
async function cleanUp(guest: Guest, peer: PeerCase): Promise<number> {
  await guest.sh(`rm -rf ${folderOf(peer)}`, { timeoutMs: CLEAN_UP_MS_MAX });
  if (peer.limitMib === undefined) return 0;
  const kills = Number(await guest.sh(KILLS));
  for (let polls = 0; polls < GONE_POLLS_MAX; polls += 1) {
    if ((await guest.exec(`rmdir ${CGROUP}`)).code === 0) return kills;
    await delay(GONE_POLL_MS);
  }
  throw new Error(`processes are left: ${await guest.sh(`cat ${CGROUP}/cgroup.procs`)}`);
}

function verdictOf(peer: PeerCase, code: number, output: string): string[] {
  const problems: string[] = [];
  const end = output.slice(-OUTPUT_CHARS_MAX);
  if (code !== 0) problems.push(`it ended with ${code}:\n${end}`);
  if (!peer.says.test(output)) problems.push(`it did not say ${peer.says}:\n${end}`);
  const bad = peer.neverSays?.exec(output)?.[0];
  if (bad !== undefined) problems.push(`it said ${JSON.stringify(bad)}:\n${end}`);
  return [...problems, ...(peer.judge?.(output) ?? [])];
}

/** Reports of the killer's, each from its first line to the one that names whom it took. */
const KILL_REPORT = new RegExp(
  '^[^\\n]*invoked oom-killer:(?:(?!invoked oom-killer:)[\\s\\S])*?' +
    'Memory cgroup out of memory: Killed[^\\n]*',
  'gm',
);

/** The log without what it says of memory cgroups that were killed for their own limits. */
export function withoutKills(log: string): string {
  return log.replaceAll(KILL_REPORT, (report) =>
    report.includes('constraint=CONSTRAINT_MEMCG') ? '' : report,
  );
}

/** Runs a program in a guest that has its swap set up. */
export async function runPeer(guest: Guest, peer: PeerCase): Promise<PeerResult> {
  const before = await guest.counters();
  const mark = `peer begins: ${peer.name}, ${before.module.puts ?? 0} puts`;
  await guest.sh(`echo ${quoted(mark)} >/dev/kmsg`);
  const clock = performance.now();
  const { code, stdout } = await execWatched(guest, commandOf(peer), {
    timeoutMs: peer.timeoutMs ?? PEER_MS_MAX,
    ...(peer.stdin === undefined ? {} : { stdin: peer.stdin }),
  });
  const seconds = (performance.now() - clock) / 1000;
  const kills = await cleanUp(guest, peer);
  const { counters, host } = await settledCounters(guest);
  // All of it where there was so much that the mark is gone.
  const log = (await guest.dmesg()).split(mark).at(-1) ?? '';
  const moved = (name: string): number => (counters.module[name] ?? 0) - (before.module[name] ?? 0);
  const counted = (name: string): number =>
    (counters.vmstat[name] ?? 0) - (before.vmstat[name] ?? 0);
  const puts = moved('puts');
  const disk = swapShare(counters).disk - swapShare(before).disk;
  const wentPast = disk > 0 && puts / (puts + disk) < (peer.shareMin ?? SHARE_MIN);
  const trouble = troubleIn(peer.killsCgroups === true ? withoutKills(log) : log);
  const problems = [
    ...verdictOf(peer, code, stdout),
    ...(kills === 0 ? [] : [`the cgroup's limit killed ${kills} of its processes`]),
    ...(puts >= peer.putsMin ? [] : [`only ${puts} pages were swapped to the store`]),
    ...(wentPast ? [`${disk} pages went past the store to disks`] : []),
    ...(host === null ? ['it has no store'] : counterProblems(counters, host, guest.frontEnds)),
    ...trouble.map((line) => `kernel log: ${line}`),
  ];
  const figures =
    `${peer.name}: ${puts} puts, ${moved('gets')} gets, ${disk} past it to disks, ` +
    `${counted('thp_fault_alloc')} huge pages, ${counted('thp_swpout')} swapped whole, ` +
    `${seconds.toFixed(1)} s${peer.summary === undefined ? '' : `; ${peer.summary(stdout)}`}`;
  return { output: stdout, problems, figures };
}
