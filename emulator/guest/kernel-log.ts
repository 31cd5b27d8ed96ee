/**
 * The guest kernel's log as part of the verdict: a warning is a bug.
 *
 * A log is read as reports, from a report's first line to its end, so that a reader sees the frame
 * at fault and a word in the middle of a report counts once. What a test asks for is no trouble:
 * the end of a process by its memory cgroup's limit, what sysrq prints, what programs write to
 * /dev/kmsg. Every text given is harmless to a terminal.
 */
import { printable } from '../../images/index.js';

/** One thing that the kernel complains of. */
export interface KernelTrouble {
  /** The line that tells what it is. */
  readonly line: string;
  /** From its first line to the end of its trace; the line alone where that is all. */
  readonly report: string;
}

/** What the kernel prints when something is wrong, and then where it was. */
const TRACED = [
  '(?<![A-Z])BUG:',
  '\\bBUG [\\w-]+ \\(',
  'kernel BUG at',
  'WARNING:',
  '\\bOops\\b',
  'Kernel panic',
  'general protection fault',
  '(?:stack segment|double fault|divide error|invalid opcode): ',
  'unable to handle|Unable to handle kernel',
  '\\b(?:KASAN|UBSAN|KCSAN|KMSAN|KFENCE):',
  'refcount_t:',
  'list_(?:add|del) (?:corruption|double)',
  'possible recursive locking',
  'possible circular locking',
  'inconsistent lock state',
  'suspicious RCU',
  'hung_task:',
  'blocked for more than',
  'soft lockup',
  'hard LOCKUP',
  'detected (?:expedited )?stall',
  'page allocation failure',
  'unchecked MSR access error',
  'nobody cared',
];

/** What is said in one line. */
const LINES = [
  'I/O error',
  'Write-error on swap',
  'Read-error on swap',
  '[Ww]rite error (?:-?\\d+ )?on dio swapfile',
  'Decompression error from zswap',
  'critical (?:space allocation|target|medium|nexus) error',
  '(?:Bad|Unused) swap (?:file|offset) entry',
  '_swap_info_get:',
  'VM_FAULT_OOM leaked',
  'unreferenced object',
  'kmemleak: \\d+ new suspicious memory leaks',
  '(?:EXT4-fs|BTRFS|F2FS-fs|XFS) ?(?:\\([^)]*\\):?)? ?(?:error|critical|Corruption)',
  '^Out of memory',
  'rcu_\\w+ kthread starved',
];

const TRACED_WORDS = new RegExp(TRACED.join('|'));
const WORDS = new RegExp([...TRACED, ...LINES].join('|'));

/** A process that its own fault ended (arch/x86/kernel/traps.c) is its own affair. */
const OF_A_PROCESS = /^traps: .*\[\d+\] (?:trap |general protection fault ip:)/;

/** Any line of our module's, but for those that every load prints. */
const MODULE_TROUBLE = /\btmem(?: [0-9a-f:.]+)?: (?!loading out-of-tree|module verif|\d+ slots)/;

const CUT_HERE = /^-+\[ cut here \]-+$/;
/** Where a report that has no end ends. */
const BEGINS = /^-+\[ cut here \]-+$|invoked oom-killer:/;
const END_TRACE = /^---\[ end (?:trace|Kernel panic)/;
const OOPS = /^(?:BUG: (?:unable|kernel NULL)|general protection fault|Oops: |int3: )/;
const FENCE = /^={20,}$/;
/** Their reports end with a fence too. */
const FENCED = /\bK(?:A|C|M)SAN\b|\bKFENCE\b/;
const OOM = /invoked oom-killer:/;
const OOM_END = /Killed process|no killable processes/;
/** The limit of a memory cgroup, or sysrq's f, which has no order (mm/oom_kill.c). */
const OOM_WANTED = /constraint=CONSTRAINT_MEMCG|Memory cgroup out of memory|, order=-1,/;
const CALL_TRACE = /^(?:\w+ )?Call Trace:/i;
const TRACE_LINE = /^(?: |RIP|RSP|R[A-D]X|RBP|R\d\d|Code|ORIG_RAX|CR2|FS:|CS:)/;
/** What comes before a task's stack when somebody asked for it. */
const ASKED_FOR = /^(?:task:\S+ +state:|\S+ +[A-Z] +\S* +\d+ |NMI backtrace for|sysrq: Show)/;
const CPU_LINE = /^(?:CPU: \d+ |Hardware name: |Workqueue: |Stopper: )/;

/** Lines from a report's first to its trace, and to its end. */
const TRACE_LINES_MAX = 60;
const REPORT_LINES_MAX = 300;
const OOM_LINES_MAX = 2000;
/** The kernel's ring is smaller; of what a program of that name prints, the end. */
const LOG_CHARS_MAX = 2 * 2 ** 20;
/** Printed text (kernel/printk) is shorter; a regular expression of a user's sees no more. */
const LINE_CHARS_MAX = 1024;

/** `<priority>` where the log was read with it, time, who printed it, the text. */
const LINE = /^(?:<(\d+)>)?((?:\[ *\d+\.\d+\])?(?:\[ *[TC]\d+\])? ?)(.*)$/;
/** Priorities from here on are a program's, not the kernel's: its facility is not 0. */
const USER_PRIORITY_MIN = 8;
const INFO_LEVEL = 6;

interface Line {
  readonly text: string;
  readonly shown: string;
  /** 0 (emergency) to 7 (debug); undefined where the log does not tell. */
  readonly level: number | undefined;
}

/** The kernel's own lines. */
function kernelLines(log: string): Line[] {
  return log
    .slice(-LOG_CHARS_MAX)
    .split('\n')
    .flatMap((raw): Line[] => {
      const [, priority, stamp = '', text = ''] = LINE.exec(raw.slice(0, LINE_CHARS_MAX)) ?? [];
      const level = priority === undefined ? undefined : Number(priority);
      if (level !== undefined && level >= USER_PRIORITY_MIN) return [];
      return [{ text: text.trimEnd(), shown: printable(stamp + text).trimEnd(), level }];
    });
}

/** Behind the first line after `at` that is like this, or the log; behind `at` if none is near. */
function behind(lines: readonly Line[], at: number, end: RegExp, most: number): number {
  for (let next = at + 1; next < Math.min(lines.length, at + most); next += 1) {
    if (end.test(lines[next]!.text)) return next + 1;
    if (next > at + 1 && BEGINS.test(lines[next]!.text)) return next;
  }
  return lines.length - at <= most ? lines.length : at + 1;
}

/** Behind the trace that belongs to line `at`. */
function behindTrace(lines: readonly Line[], at: number): number {
  const last = Math.min(lines.length, at + TRACE_LINES_MAX);
  let next = at;
  while (next < last && !CALL_TRACE.test(lines[next]!.text)) {
    const other = lines[next]!.text;
    // A report's second line may tell more of the same; a line further on is another's.
    const more = next <= at + 2 || TRACE_LINE.test(other) || !WORDS.test(other);
    const another = BEGINS.test(other) || MODULE_TROUBLE.test(other);
    if (next > at && (!more || another)) return at + 1;
    next += 1;
  }
  if (next === last) return at + 1;
  next += 1;
  while (next < lines.length && next < at + REPORT_LINES_MAX) {
    if (!TRACE_LINE.test(lines[next]!.text)) break;
    next += 1;
  }
  return next;
}

function reportEnd(lines: readonly Line[], at: number): number {
  const { text } = lines[at]!;
  if (CUT_HERE.test(text)) return behind(lines, at, END_TRACE, REPORT_LINES_MAX);
  if (FENCE.test(text)) {
    const next = lines[at + 1]?.text ?? '';
    if (!WORDS.test(next)) return at + 1;
    if (FENCED.test(next)) return behind(lines, at + 1, FENCE, REPORT_LINES_MAX);
    return behindTrace(lines, at + 1);
  }
  if (OOM.test(text)) return behind(lines, at, OOM_END, OOM_LINES_MAX);
  if (OOPS.test(text)) {
    const end = behind(lines, at, END_TRACE, REPORT_LINES_MAX);
    return end > at + 1 ? end : behindTrace(lines, at);
  }
  if (CALL_TRACE.test(text) || TRACED_WORDS.test(text)) return behindTrace(lines, at);
  return at + 1;
}

/** Whether somebody asked for the stack of a trace that no report owns. */
function askedFor(lines: readonly Line[], at: number): boolean {
  // A task's state is told at the level of information; dump_stack() warns.
  if ((lines[at]!.level ?? 0) >= INFO_LEVEL) return true;
  let before = at - 1;
  while (
    before >= 0 &&
    (CPU_LINE.test(lines[before]!.text) || TRACE_LINE.test(lines[before]!.text))
  )
    before -= 1;
  return before >= 0 && ASKED_FOR.test(lines[before]!.text);
}

function tellsTrouble({ text, level }: Line): boolean {
  if (level === INFO_LEVEL + 1 || OF_A_PROCESS.test(text)) return false;
  return WORDS.test(text) || MODULE_TROUBLE.test(text);
}

/** The line of a report that tells what it is about; undefined when it is no trouble. */
function headOf(lines: readonly Line[], from: number, to: number): Line | undefined {
  const report = lines.slice(from, to);
  const first = report[0]!;
  if (OOM.test(first.text)) {
    if (report.some(({ text }) => OOM_WANTED.test(text))) return undefined;
    return report.find(({ text }) => OOM_END.test(text)) ?? first;
  }
  const head = report.find(tellsTrouble);
  if (head !== undefined) return head;
  if (CUT_HERE.test(first.text)) return first;
  return CALL_TRACE.test(first.text) && !askedFor(lines, from) ? first : undefined;
}

export interface KernelLogOptions {
  /** Reports of which a line is like one of these are no trouble. */
  readonly allow?: readonly RegExp[];
  /** Whether this is a guest's log from its boot on: then a missing beginning is told. */
  readonly whole?: boolean;
}

const LOST =
  'the beginning of the kernel log is lost: its ring is full, or was cleared; ' +
  'log_buf_len=1M on the command line of the kernel makes it larger';

/** What a kernel log, read with priorities (`dmesg -r`) or without, tells of trouble; in order. */
export function kernelTrouble(log: string, options: KernelLogOptions = {}): KernelTrouble[] {
  const lines = kernelLines(log);
  const troubles: KernelTrouble[] = [];
  if (options.whole && !/^Linux version /.test(lines[0]?.text ?? '')) {
    troubles.push({ line: LOST, report: LOST });
  }
  for (let at = 0; at < lines.length; ) {
    const end = reportEnd(lines, at);
    const head = headOf(lines, at, end);
    if (head !== undefined) {
      const report = lines.slice(at, end).map(({ shown }) => shown);
      troubles.push({ line: head.shown, report: report.join('\n') });
    }
    at = end;
  }
  const allow = options.allow ?? [];
  // Every report names every module.
  const isAllowed = ({ report }: KernelTrouble): boolean =>
    report.split('\n').some((line) => {
      return !line.includes('Modules linked in:') && allow.some((like) => like.test(line));
    });
  return allow.length === 0 ? troubles : troubles.filter((trouble) => !isAllowed(trouble));
}

/** Lines of a kernel log that tell of trouble, one a report, in order. */
export function troubleIn(log: string): string[] {
  return kernelTrouble(log).map(({ line }) => line);
}

/**
 * What a console says from the first line of the first trouble on: a reason and its frame come
 * first, not last. Of more than `most` lines the first half, and as much from the last trouble on,
 * which is what a kernel died of.
 */
export function fromTrouble(console: string, most: number): string | undefined {
  const troubles = kernelTrouble(console);
  if (troubles.length === 0) return undefined;
  const lines = console.split('\n').map((line) => printable(line).trimEnd());
  const beginOf = (at: number): number => {
    const first = troubles.at(at)!.report.split('\n')[0]!;
    const isFirst = (line: string): boolean => line.endsWith(first);
    return Math.max(0, at < 0 ? lines.findLastIndex(isFirst) : lines.findIndex(isFirst));
  };
  const first = beginOf(0);
  if (lines.length - first <= most) return lines.slice(first).join('\n').trimEnd();
  const half = Math.floor(most / 2);
  const last = Math.max(first + half, beginOf(-1));
  const between = last - first - half;
  const after = Math.max(0, lines.length - last - half);
  return [
    ...lines.slice(first, first + half),
    ...(between > 0 ? [`(${between} more lines)`] : []),
    ...lines.slice(last, last + half),
    ...(after > 0 ? [`(${after} more lines)`] : []),
  ].join('\n');
}
