/**
 * Runs the commands of the promises, each once, and says of each promise whether it held.
 *
 * One command at a time, since some measure; but a soak, which takes as long as the others together
 * and wants company, goes on beside them. Each has a bound and is taken down with all its children
 * when that is over or the caller's signal comes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { ProofReport } from '../prove.js';
import type { Command, Promised } from './specification.js';

const QUICK_MS_MAX = 5 * 60_000;
const FULL_MS_MAX = 110 * 60_000;
/** How long a command may take to take down what it started. */
const TIDY_MS_MAX = 20_000;
/** Of the output of a command that failed. */
const TAIL_LINES = 12;
const BESIDE_OTHERS: readonly string[] = ['soak'];

export interface Outcome {
  readonly held: boolean;
  readonly figure: string;
  readonly problems: readonly string[];
  readonly seconds: number;
}

export interface PromiseReport extends Outcome {
  readonly number: string;
  readonly promise: string;
  readonly aim: string;
  readonly command: string;
}

export interface PromisesRun {
  readonly promises: readonly Promised[];
  /** The project's top folder. */
  readonly root: string;
  readonly quick: boolean;
  readonly signal: AbortSignal;
  readonly onStart: (command: string) => void;
  readonly onEnd: (command: string, outcome: Outcome) => void;
}

/** What a command printed, and how it ended. */
interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The words of the command, for a quick or a full run and an answer for a program. */
export function wordsOf(command: Command, quick: boolean): string[] {
  const words = command.text.split(' ');
  if (command.kind === 'test') return words;
  return [...words, ...(quick ? ['--quick'] : []), '--json'];
}

/** The whole group: npm does not pass each signal on. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It is gone.
  }
}

function runWords(words: readonly string[], run: PromisesRun): Promise<Ended> {
  const [program, ...args] = words;
  const child = spawn(program!, args, {
    cwd: run.root,
    detached: true,
    env: { ...process.env, npm_config_loglevel: 'silent' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  let killing: NodeJS.Timeout | undefined;
  const end = (): void => {
    signalGroup(child, 'SIGTERM');
    killing = setTimeout(() => signalGroup(child, 'SIGKILL'), TIDY_MS_MAX);
  };
  const bound = setTimeout(end, run.quick ? QUICK_MS_MAX : FULL_MS_MAX);
  run.signal.addEventListener('abort', end, { once: true });
  return new Promise((resolve) => {
    const finish = (code: number | null): void => {
      clearTimeout(bound);
      clearTimeout(killing);
      run.signal.removeEventListener('abort', end);
      resolve({ code, stdout, stderr });
    };
    child.on('error', (error) => {
      stderr += error.message;
      finish(null);
    });
    child.on('close', finish);
  });
}

function tailOf(ended: Ended): string {
  const lines = `${ended.stdout}\n${ended.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-TAIL_LINES).join('\n');
}

/** What a proof's answer, or the closing line of a test run, says. */
export function judge(command: Command, ended: Ended): Omit<Outcome, 'seconds'> {
  if (command.kind === 'prove') {
    const line = ended.stdout.trim().split('\n').at(-1) ?? '';
    if (line.startsWith('{') && (ended.code === 0 || ended.code === 1)) {
      const { held, figure, problems } = JSON.parse(line) as ProofReport;
      return { held: held && ended.code === 0, figure, problems };
    }
  } else {
    const closing = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m.exec(ended.stdout);
    if (closing !== null && Number(closing[1]) > 0) {
      const held = ended.code === 0 && closing[2] === '0' && closing[3] === undefined;
      return { held, figure: `tests: ${closing[0]}`, problems: held ? [] : [tailOf(ended)] };
    }
  }
  return { held: false, figure: `ended with ${ended.code}`, problems: [tailOf(ended)] };
}

async function runCommandOnce(command: Command, run: PromisesRun): Promise<Outcome> {
  run.onStart(command.text);
  const started = performance.now();
  const ended = await runWords(wordsOf(command, run.quick), run);
  const outcome = {
    ...judge(command, ended),
    seconds: (performance.now() - started) / 1000,
  };
  run.onEnd(command.text, outcome);
  return outcome;
}

/** Runs all of them. After an abort, only those that were done by then are there. */
export async function runPromises(run: PromisesRun): Promise<PromiseReport[]> {
  const commands = new Map(run.promises.map(({ command }) => [command.text, command]));
  const outcomes = new Map<string, Outcome>();
  const isBeside = (command: Command): boolean =>
    command.kind === 'prove' && BESIDE_OTHERS.includes(command.proof);
  const lane = async (those: Command[]): Promise<void> => {
    for (const command of those) {
      if (run.signal.aborted) return;
      outcomes.set(command.text, await runCommandOnce(command, run));
    }
  };
  const all = [...commands.values()];
  await Promise.all([lane(all.filter(isBeside)), lane(all.filter((one) => !isBeside(one)))]);
  return run.promises.flatMap(({ command, ...promised }) => {
    const outcome = outcomes.get(command.text);
    return outcome === undefined ? [] : [{ ...promised, command: command.text, ...outcome }];
  });
}
