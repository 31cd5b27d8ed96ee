/**
 * `npm run prove -- NAME`: one proof, of the size that is told.
 */
import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import type { Context } from '../../emulator/cli/context.js';
import { integer } from '../../emulator/cli/options.js';
import { ExitCode } from '../../emulator/errors.js';
import { count, type Proof, type ProofResult, sizesOf } from './proof.js';

/** How a command hands its body over. */
export type Runner = (body: (context: Context) => Promise<number>) => Promise<void>;

const SIZE_MAX = 10 ** 12;

interface ProveFlags extends Record<string, unknown> {
  readonly quick?: true;
  readonly seed?: number;
  readonly json?: true;
}

/** What `--json` prints, one object. */
export interface ProofReport extends ProofResult {
  readonly proof: string;
  readonly held: boolean;
  readonly seed: number;
  readonly sizes: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** The command that does the same once more. */
function again(report: ProofReport): string {
  const sizes = Object.entries(report.sizes).map(([name, size]) => `--${name} ${size}`);
  return ['npm run prove --', report.proof, '--seed', report.seed, ...sizes].join(' ');
}

function render(report: ProofReport): string {
  const verdict = report.held ? 'held' : 'NOT HELD';
  const lines = [
    `${verdict}: ${report.figure} (${report.seconds.toFixed(1)} s, seed ${report.seed})`,
    ...report.problems.map((problem) => `  problem: ${problem}`),
    ...(report.held ? [] : [`  again:   ${again(report)}`]),
  ];
  return `${lines.join('\n')}\n`;
}

async function prove(proof: Proof, flags: ProveFlags, context: Context): Promise<number> {
  const seed = flags.seed ?? randomInt(2 ** 32);
  const told = Object.keys(proof.sizes).filter((name) => flags[name] !== undefined);
  const sizes = sizesOf(
    proof,
    flags.quick === true,
    Object.fromEntries(told.map((name) => [name, flags[name] as number])),
  );
  const started = performance.now();
  const result = await proof.run({
    seed,
    sizes,
    quick: flags.quick === true,
    progress: (line) => context.progress.update(line),
    signal: context.signal,
  });
  context.signal.throwIfAborted();
  context.progress.close();
  const report: ProofReport = {
    proof: proof.name,
    held: result.problems.length === 0,
    seed,
    sizes,
    seconds: (performance.now() - started) / 1000,
    ...result,
  };
  process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : render(report));
  return report.held ? ExitCode.OK : ExitCode.FAILED;
}

/** A number that may be written 1e8. */
function size(text: string): number {
  const value = /^\d+e\d+$/.test(text) ? String(Number(text)) : text;
  return integer(0, SIZE_MAX)(value);
}

export function addProveCommand(program: Command, proofs: readonly Proof[], run: Runner): void {
  const prover = program.command('prove').description('run one proof; 0: it held, 1: it did not');
  for (const proof of proofs) {
    const command = prover
      .command(proof.name)
      .description(proof.about)
      .option('--quick', 'the cut that the tests run')
      .option('--seed <n>', 'for the same run again (default: random)', integer(0, 2 ** 32 - 1))
      .option('--json', 'print one JSON object');
    for (const [name, { about, quick, full }] of Object.entries(proof.sizes)) {
      const sizes = `(default: ${count(full)}, quick ${count(quick)})`;
      command.option(`--${name} <n>`, `${about} ${sizes}`, size);
    }
    command.action((flags: ProveFlags) => run((context) => prove(proof, flags, context)));
  }
}
