/**
 * What the kernel's own tests print, judged: no failure, no skip but for a known reason, and those
 * passed that a run is for.
 */

/** What a run of a kselftest must be like. */
export interface Expected {
  /** Tests that must be there and pass; more may. */
  readonly passed: readonly RegExp[];
  /** Tests that may be skipped, each for a reason that is known; nothing else may. */
  readonly skipped: readonly RegExp[];
}

/** Each once: a child that ends prints what its parent had not yet written. */
const linesOf = (output: string): string[] => [...new Set(output.split('\n'))];

/**
 * Problems in what a program printed: in the Test Anything Protocol (`ok 3 name # SKIP why`), or as
 * uffd-unit-tests does (`Testing name... skipped [reason: why]`).
 */
export function problemsIn(output: string, { passed, skipped }: Expected): string[] {
  const lines = linesOf(output);
  const isSkip = (line: string): boolean => /# SKIP|\.\.\. skipped/.test(line);
  const good = lines.filter((line) => /^ok \d+ .|\.\.\. done/.test(line) && !isSkip(line));
  const bad = lines.filter((line) => /^not ok \d+|\.\.\. failed|^Bail out!/.test(line));
  const skips = lines.filter(isSkip);
  return [
    ...bad,
    ...skips.filter((line) => !skipped.some((known) => known.test(line))),
    ...passed
      .filter((wanted) => !good.some((line) => wanted.test(line)))
      .map((wanted) => `no test passed that is called ${wanted}`),
  ];
}

/** How many passed, and why others did not run, in one line. */
export function summaryOf(output: string): string {
  const lines = linesOf(output);
  const skips = lines.filter((line) => /# SKIP|\.\.\. skipped/.test(line));
  const good = lines.filter((line) => /^ok \d+ .|\.\.\. done/.test(line)).length;
  const passed = good - skips.filter((line) => line.startsWith('ok')).length;
  const reasons = new Map<string, number>();
  for (const line of skips) {
    const reason = /(?:# SKIP|reason:)\s*(.*?)\]?$/.exec(line)?.[1] || line;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const told = [...reasons].map(([reason, times]) => `${times} skipped: ${reason}`);
  return [`${passed} passed`, ...told].join('; ');
}
