// One bounded wait: a promise that is settled from outside, by a time limit or by an abort signal,
// whichever comes first. What always holds: after it settled, no timer and no signal handler of it
// is left behind.

import { QmpAbortedError, QmpArgumentError, QmpTimeLimitError } from './errors.js';

/** What every waiting call takes. */
export interface WaitOptions {
  /** Milliseconds, a positive number; `Infinity` waits for ever and must be asked for. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The time limit of a call that names none, milliseconds. */
export const TIMEOUT_DEFAULT_MS = 10_000;
/** The longest a Node timer counts; a larger limit is none. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** @throws QmpArgumentError when `timeoutMs` is no positive number */
export function timeLimitOf(options: WaitOptions | undefined, fallback: number): number {
  const timeoutMs = options?.timeoutMs ?? fallback;
  if (!(timeoutMs > 0)) {
    throw new QmpArgumentError(`timeoutMs must be a positive number of ms, not ${timeoutMs}`);
  }
  return timeoutMs;
}

/** Start a timer for `timeoutMs`; undefined when the limit is beyond what a timer can count. */
export function startTimer(timeoutMs: number, act: () => void): NodeJS.Timeout | undefined {
  return timeoutMs <= TIMER_MAX_MS ? setTimeout(act, timeoutMs) : undefined;
}

/**
 * Wait for `promise`, no longer than the limit, no longer than the signal allows.
 * @param what ends the error text "... while": "waiting for the greeting"
 * @param options.onGiveUp called in the very moment the wait is given up
 * @throws QmpTimeLimitError, QmpAbortedError, or whatever the promise rejects with
 */
export async function bounded<T>(
  promise: Promise<T>,
  what: string,
  options: { timeoutMs: number; signal?: AbortSignal | undefined; onGiveUp?: () => void },
): Promise<T> {
  const { timeoutMs, signal } = options;
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  // The promise may lose the race and reject later: that is then nobody's error.
  promise.catch(() => {});
  try {
    return await new Promise<T>((resolve, reject) => {
      const giveUp = (error: Error): void => {
        options.onGiveUp?.();
        reject(error);
      };
      if (signal?.aborted) return giveUp(new QmpAbortedError(what, signal.reason));
      onAbort = () => giveUp(new QmpAbortedError(what, signal?.reason));
      signal?.addEventListener('abort', onAbort, { once: true });
      timer = startTimer(timeoutMs, () => giveUp(new QmpTimeLimitError(what, timeoutMs)));
      promise.then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}
