/**
 * One run of somebody else's program in a guest, and the verdict on it: its own, the kernel log's,
 * and the counters'. A run in which nothing was swapped proves nothing and is no pass.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Guest, troubleIn } from 'qemu-tmem';
import { counterProblems, settledCounters } from '../../emulator/guest/storm.js';
import { execWatched } from '../../emulator/guest/watched.js';

export interface PeerCase {
  readonly name: string;
  /** Lines for /bin/sh, run in an empty folder on tmpfs. */
  readonly script: string;
  /** Of a memory cgroup around the script; without it the guest's own memory is the bound. */
  readonly limitMib?: number;
  /** Pages that must have been swapped to the store meanwhile; fewer are no test. */
  readonly putsMin: number;
  /** What the program prints when its own checks are done and right. */
  readonly says: RegExp;
  /** What it prints when they are not, whatever it exits with. */
  readonly neverSays?: RegExp;
  /** Its input. */
  readonly stdin?: string;
  /** Lines of the kernel log that the program itself causes, though they look like trouble. */
  readonly logAllowed?: (line: string) => boolean;
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
const CLEAN_UP_MS_MAX = 60_000;
const OUTPUT_CHARS_MAX = 2000;
const GONE_POLL_MS = 100;
const GONE_POLLS_MAX = 100;

const FOLDER = '/tmp/peer';
const CGROUP = '/sys/fs/cgroup/peer';

const VMSTAT = "grep -E '^(thp_fault_alloc|thp_swpout|pswpout) ' /proc/vmstat";

/** Kills of a memory cgroup are counted in it, and the count goes with it. */
const KILLS = `awk '/^oom_kill / { print $2 }' ${CGROUP}/memory.events`;

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function commandOf({ script, limitMib }: PeerCase): string {
  const lines = [`set -e; rm -rf ${FOLDER}; mkdir ${FOLDER}; cd ${FOLDER}`];
  if (limitMib !== undefined) {
    lines.push('echo +memory >/sys/fs/cgroup/cgroup.subtree_control', `mkdir -p ${CGROUP}`);
    lines.push(`echo ${limitMib}M >${CGROUP}/memory.max`, `echo $$ >${CGROUP}/cgroup.procs`);
  }
  lines.push(`exec sh -c ${quoted(script)} 2>&1`);
  return lines.join('\n');
}

async function vmstat(guest: Guest): Promise<Map<string, number>> {
  const lines = (await guest.sh(VMSTAT)).trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[0]!, Number(line.split(' ')[1])]));
}

/** Removes what the run left; its last processes may still be going. Gives the kills by cgroup. */
async function cleanUp(guest: Guest, { limitMib }: PeerCase): Promise<number> {
  await guest.sh(`rm -rf ${FOLDER}`, { timeoutMs: CLEAN_UP_MS_MAX });
  if (limitMib === undefined) return 0;
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
  return problems;
}

/** Runs a program in a guest that has its swap set up. */
export async function runPeer(guest: Guest, peer: PeerCase): Promise<PeerResult> {
  const before = await guest.counters();
  const pagesBefore = await vmstat(guest);
  const logBefore = (await guest.dmesg()).length;
  const clock = performance.now();
  const { code, stdout } = await execWatched(guest, commandOf(peer), {
    timeoutMs: peer.timeoutMs ?? PEER_MS_MAX,
    ...(peer.stdin === undefined ? {} : { stdin: peer.stdin }),
  });
  const seconds = (performance.now() - clock) / 1000;
  const pagesAfter = await vmstat(guest);
  const kills = await cleanUp(guest, peer);
  const { counters, host } = await settledCounters(guest);
  const log = (await guest.dmesg()).slice(logBefore);
  const moved = (name: string): number => (counters.module[name] ?? 0) - (before.module[name] ?? 0);
  const counted = (name: string): number =>
    (pagesAfter.get(name) ?? 0) - (pagesBefore.get(name) ?? 0);
  const puts = moved('puts');
  const trouble = troubleIn(log).filter((line) => peer.logAllowed?.(line) !== true);
  const problems = [
    ...verdictOf(peer, code, stdout),
    ...(kills === 0 ? [] : [`the cgroup's limit killed ${kills} of its processes`]),
    ...(puts >= peer.putsMin ? [] : [`only ${puts} pages were swapped to the store`]),
    ...(host === null ? ['it has no store'] : counterProblems(counters, host, guest.frontEnds)),
    ...trouble.map((line) => `kernel log: ${line}`),
  ];
  const sectors = (at: typeof counters): number =>
    Object.values(at.disks).reduce((sum, { written }) => sum + written, 0);
  const disk = (sectors(counters) - sectors(before)) / 8;
  const figures =
    `${peer.name}: ${puts} puts, ${moved('gets')} gets, ${Math.round(disk)} pages to disks, ` +
    `${counted('thp_fault_alloc')} huge pages, ${counted('thp_swpout')} swapped whole, ` +
    `${seconds.toFixed(1)} s`;
  return { output: stdout, problems, figures };
}
