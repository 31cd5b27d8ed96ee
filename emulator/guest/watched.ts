/**
 * Commands of the guest's that must end. One that does not is a finding, so before it is killed the
 * guest is asked what its tasks wait for.
 */
import type { ExecOptions, ExecResult } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { Guest } from './guest.js';

/** For each question to a guest that may be past answering. */
const QUESTION_MS_MAX = 10_000;
const CONSOLE_LINES = 30;

/** What moves if anything does; asked twice, so that a reader sees whether it does. */
const MOVING_COMMAND = [
  'cat /proc/uptime /proc/loadavg',
  "grep -E '^(MemFree|SwapCached|Dirty|Writeback|SwapFree)' /proc/meminfo",
  "grep -E '^(pswpin|pswpout|pgmajfault|oom_kill|allocstall_normal) ' /proc/vmstat",
  "grep -E ' (vd|zram|failstop|tmem)' /proc/diskstats",
  'cat /sys/kernel/debug/tmem/stats 2>/dev/null',
].join('; ');

/** The log, with what blocked tasks wait for (Documentation/admin-guide/sysrq.rst). */
const BLOCKED_COMMAND = 'echo w > /proc/sysrq-trigger; sleep 1; dmesg | tail -n 60';

/** Where the kernel is in each process that has memory of its own. */
const STACKS_COMMAND = [
  'for p in /proc/[0-9]*',
  'do grep -q VmRSS $p/status 2>/dev/null || continue',
  "echo $(cut -d' ' -f1-3 $p/stat)",
  'cat $p/stack 2>/dev/null',
  'done',
].join('; ');

/** The answer, or why there is none. */
async function answerOf(question: () => Promise<string>): Promise<string> {
  try {
    return await question();
  } catch (error) {
    return `(no answer: ${(error as Error).message})`;
  }
}

/** What machine, store and guest say of themselves, or that they do not answer. Never rejects. */
export async function stateOf(guest: Guest): Promise<string> {
  const ask = (command: string): Promise<string> =>
    answerOf(async () => {
      const { stdout } = await guest.agent.exec(command, { timeoutMs: QUESTION_MS_MAX });
      return stdout.trimEnd();
    });
  const parts: [string, string][] = [
    [
      'QEMU',
      await answerOf(async () =>
        JSON.stringify(await guest.qmp.execute('query-status', {}, { timeoutMs: QUESTION_MS_MAX })),
      ),
    ],
    ['store', await answerOf(async () => JSON.stringify(await guest.store?.stats()))],
    ['counters', await ask(MOVING_COMMAND)],
    ['kernel log', await ask(BLOCKED_COMMAND)],
    ['processes', await ask(STACKS_COMMAND)],
    ['counters again', await ask(MOVING_COMMAND)],
    ['console', guest.consoleTail(CONSOLE_LINES)],
  ];
  return parts.map(([title, text]) => `--- ${title}\n${text}`).join('\n');
}

/**
 * As `Guest.exec`, but a command that is not done within `timeoutMs` is no more than killed: the
 * error holds its last words and the guest's state.
 * @throws TmemError (TIMEOUT), and what `Guest.exec` throws
 */
export async function execWatched(
  guest: Guest,
  command: string,
  options: ExecOptions & { readonly timeoutMs: number },
): Promise<ExecResult> {
  const { timeoutMs, signal, onStderr, ...rest } = options;
  const late = new AbortController();
  let words = '';
  const timer = setTimeout(async () => {
    const state = await stateOf(guest);
    const message = `\`${command}\` did not end in the guest within ${timeoutMs / 1000} s`;
    late.abort(new TmemError('TIMEOUT', `${message}; its last words: ${words}\n${state}`));
  }, timeoutMs);
  try {
    return await guest.exec(command, {
      ...rest,
      signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
      onStderr: (chunk) => {
        words = chunk.toString().trimEnd().split('\n').at(-1) ?? words;
        onStderr?.(chunk);
      },
    });
  } finally {
    clearTimeout(timer);
  }
}
