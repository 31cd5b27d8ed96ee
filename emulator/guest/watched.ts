/**
 * Commands of the guest's that must end. One that does not is a finding, so before it is killed the
 * guest is asked what its tasks wait for. One that does not even answer that is not asked again:
 * its kernel hangs, and what QEMU and an NMI tell of it comes in place.
 */
import { type ExecOptions, type ExecResult, printable } from '../../images/index.js';
import type { TmemError } from '../errors.js';
import { failure, keepFailure } from './failure.js';
import type { Guest } from './guest.js';
import { answerOf, hangOf } from './hang.js';

/** For each question to a guest that may be past answering. */
const QUESTION_MS_MAX = 10_000;
/** For a guest that thrashes on a busy machine to say a word. */
const ALIVE_MS_MAX = 5000;
const CONSOLE_LINES = 30;
/** Of one answer in a message; the folder has all of it. */
const SHOWN_LINES = 60;

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

type Parts = [title: string, text: string][];

async function isAlive(guest: Guest): Promise<boolean> {
  try {
    await guest.agent.exec(':', { timeoutMs: ALIVE_MS_MAX });
    return true;
  } catch {
    return false;
  }
}

/** What machine, store and guest say of themselves, or that they do not answer. Never rejects. */
async function stateOf(guest: Guest): Promise<Parts> {
  const ask = (command: string): Promise<string> =>
    answerOf(async () => {
      const { stdout } = await guest.agent.exec(command, { timeoutMs: QUESTION_MS_MAX });
      return stdout.trimEnd();
    });
  return [
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
}

function render(parts: Parts, linesMax: number): string {
  return parts
    .map(([title, text]) => {
      const lines = printable(text).trimEnd().split('\n');
      const left = lines.length - linesMax;
      const more = left > 0 ? [`(${left} lines before)`] : [];
      return [`--- ${title}`, ...more, ...lines.slice(-linesMax)].join('\n');
    })
    .join('\n');
}

/**
 * The error for a command that was not done in time, its logs kept: TIMEOUT where the guest still
 * answers, GUEST_HUNG where it does not, and then it is gone afterwards. Never rejects.
 */
export async function outOfTime(guest: Guest, what: string): Promise<TmemError> {
  const alive = await isAlive(guest);
  // A guest that went away meanwhile neither hangs nor is late.
  if (!alive && guest.machine.exited !== undefined) return guest.gone(undefined);
  const parts = alive ? await stateOf(guest) : await hangOf(guest);
  const question = { timeoutMs: QUESTION_MS_MAX };
  const log = alive
    ? await answerOf(async () => (await guest.agent.exec('dmesg -r', question)).stdout)
    : '(the guest does not answer)\n';
  const all = render(parts, Number.POSITIVE_INFINITY);
  const texts = { 'state.txt': `${all}\n`, 'dmesg.log': log };
  const kept = keepFailure(guest.machine, guest.failures, texts);
  const shown = render(
    parts.filter(([title]) => title !== 'registers'),
    SHOWN_LINES,
  );
  const dead = alive ? '' : ', and the guest does not answer';
  return failure(alive ? 'TIMEOUT' : 'GUEST_HUNG', `${what}${dead}\n${shown}`, kept);
}

/**
 * As `Guest.exec`, but a command that is not done within `timeoutMs` is no more than killed: the
 * error holds its last words and the guest's state.
 * @throws TmemError (TIMEOUT, GUEST_HUNG), and what `Guest.exec` throws
 */
export async function execWatched(
  guest: Guest,
  command: string,
  options: ExecOptions & { readonly timeoutMs: number },
): Promise<ExecResult> {
  const { timeoutMs, signal, onStderr, ...rest } = options;
  const late = new AbortController();
  let words = '';
  let ending: Promise<TmemError> | undefined;
  const timer = setTimeout(() => {
    const message = `\`${command}\` did not end in the guest within ${timeoutMs / 1000} s`;
    const said = words === '' ? '' : `; its last words: ${words}`;
    ending = outOfTime(guest, `${message}${said}`);
    ending.then((error) => late.abort(error));
  }, timeoutMs);
  try {
    return await guest.exec(command, {
      ...rest,
      signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
      onStderr: (chunk) => {
        words = chunk.toString().trimEnd().split('\n').at(-1) ?? words;
        return onStderr?.(chunk);
      },
    });
  } catch (error) {
    // The NMI that told where a kernel hung was its end: the hang is what there is to tell.
    if (ending === undefined || signal?.aborted) throw error;
    throw await ending;
  } finally {
    clearTimeout(timer);
  }
}
