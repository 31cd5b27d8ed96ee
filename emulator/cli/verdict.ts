/**
 * How `tmem run` closes: the kernel's complaints, one line on what swap did, and the exit code that
 * follows. All of it is on stderr; a command's own code, where it is not 0, stands.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { printable } from '../../images/index.js';
import { ExitCode } from '../errors.js';
import type { Guest } from '../guest/guest.js';
import { type SwapVerdict, swapVerdict } from '../guest/verdict.js';
import { integer } from './options.js';

export interface VerdictFlags {
  requirePuts?: number;
  allowLog?: RegExp[];
  quiet?: true;
}

/** Of one report, and reports: the rest is counted. */
const REPORT_LINES_MAX = 60;
const REPORTS_MAX = 20;
const PATTERNS_MAX = 64;
const PATTERN_CHARS_MAX = 1000;

function pattern(text: string, before: RegExp[] = []): RegExp[] {
  if (text === '' || text.length > PATTERN_CHARS_MAX || before.length >= PATTERNS_MAX) {
    throw new InvalidArgumentError(
      `It may be given ${PATTERNS_MAX} times, with 1 to ${PATTERN_CHARS_MAX} characters each.`,
    );
  }
  try {
    return [...before, new RegExp(text)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

export function addVerdictOptions(command: Command): Command {
  return command
    .option('--require-puts <n>', 'fail unless the store took so many pages', integer(1, 2 ** 40))
    .option(
      '--allow-log <pattern>',
      'a regular expression: kernel reports with such a line are no trouble; again for each further',
      pattern,
    )
    .option('-q, --quiet', 'no closing line on what swap did');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function plural(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`;
}

/** The closing line, without its line feed. */
export function closingLine(verdict: SwapVerdict): string {
  const { puts, gets, share, host, trouble } = verdict;
  const disk = `${plural(share.disk, 'page')} to disk`;
  const part = share.share === undefined ? undefined : (share.share * 100).toFixed(1);
  const saw = part === undefined ? 'nothing swapped' : `tmem saw ${part}% of swap`;
  const store = `${plural(puts, 'put')}, ${plural(gets, 'get')}, ${disk}, ${saw}`;
  const log =
    trouble.length === 0
      ? 'kernel log clean'
      : `${plural(trouble.length, 'trouble')} in the kernel log`;
  return `tmem: ${host === null ? `no tmem, ${disk}` : store}; ${log}`;
}

/** What the kernel complains of, whole reports, as lines for stderr. */
export function troubleLines(reports: readonly string[]): string[] {
  const lines = reports.slice(0, REPORTS_MAX).flatMap((report) => {
    const all = report.split('\n');
    const more = all.length - REPORT_LINES_MAX;
    const shown = all.slice(0, REPORT_LINES_MAX);
    return [...shown, ...(more > 0 ? [`(${more} more lines)`] : [])];
  });
  const more = reports.length - REPORTS_MAX;
  return [...lines, ...(more > 0 ? [`(${plural(more, 'more report')})`] : [])].map((line) => {
    return `tmem: kernel log: ${printable(line)}`;
  });
}

/** The exit code, given the command's own. */
export function verdictCode(code: number, verdict: SwapVerdict, flags: VerdictFlags): number {
  if (code !== 0) return code;
  const few = flags.requirePuts !== undefined && verdict.puts < flags.requirePuts;
  return few || verdict.trouble.length > 0 ? ExitCode.FAILED : ExitCode.OK;
}

/** Looks at guest and store after a command, says what there is to say, and gives the exit code. */
export async function closeRun(guest: Guest, code: number, flags: VerdictFlags): Promise<number> {
  const verdict = await swapVerdict(guest, { allow: flags.allowLog ?? [] });
  const lines = troubleLines(verdict.trouble.map(({ report }) => report));
  if (!flags.quiet) lines.push(closingLine(verdict));
  const { requirePuts = 0 } = flags;
  if (verdict.puts < requirePuts) {
    lines.push(`tmem: ${count(requirePuts)} puts were required, there are ${count(verdict.puts)}`);
  }
  if (lines.length > 0) process.stderr.write(`${lines.join('\n')}\n`);
  return verdictCode(code, verdict, flags);
}
