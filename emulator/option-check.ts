/**
 * Checks options that a program gives, as the command line checks those that a person types: before
 * anything is made, with a message that names the option, its value and what it must be.
 */
import { TmemError } from './errors.js';

/** @returns what the value must be, when it is not that */
export type Check = (value: unknown) => string | undefined;

/** A check for each option there is. */
export type Checks<T> = { readonly [K in keyof Required<T>]: Check };

function must(holds: boolean, what: string): string | undefined {
  return holds ? undefined : what;
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  const what =
    max === Number.MAX_SAFE_INTEGER
      ? `a whole number from ${min} up`
      : `a whole number from ${min} to ${max}`;
  return (value) => {
    const isWhole = typeof value === 'number' && Number.isSafeInteger(value);
    return must(isWhole && value >= min && value <= max, what);
  };
}

/** A part of a whole. */
export const part: Check = (value) =>
  must(typeof value === 'number' && value >= 0 && value <= 1, 'a number from 0 to 1');

export function oneOf(names: readonly string[]): Check {
  return (value) => must(names.includes(value as string), `one of ${names.join(', ')}`);
}

/** Text that is not empty, without the bytes that end a path. */
export const text: Check = (value) =>
  must(typeof value === 'string' && value !== '' && !value.includes('\0'), 'text, and not empty');

export const truth: Check = (value) => must(typeof value === 'boolean', 'true or false');

export const called: Check = (value) => must(typeof value === 'function', 'a function');

/** Whatever it is, it is looked at where it is used. */
export const any: Check = () => undefined;

export function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'a list';
    const wrong = value.map(check).find((what) => what !== undefined);
    return wrong === undefined ? undefined : `a list, each ${wrong}`;
  };
}

function shown(value: unknown): string {
  if (typeof value === 'string' || Array.isArray(value)) return JSON.stringify(value);
  return String(value);
}

/**
 * Checks those of some options that are given; `undefined` is none.
 * @param whose names them in messages, as `TmemServer.start`
 * @throws TmemError (OPTION_INVALID)
 */
export function checkSome<T extends object>(
  whose: string,
  options: T,
  checks: Partial<Checks<T>>,
): void {
  for (const [name, check] of Object.entries(checks) as [keyof T & string, Check][]) {
    const value = options[name];
    const what = value === undefined ? undefined : check(value);
    if (what === undefined) continue;
    const message = `${whose}, ${name}: ${shown(value)} is not allowed, it must be ${what}`;
    throw new TmemError('OPTION_INVALID', message);
  }
}

/**
 * Checks all options that are given.
 * @throws TmemError (OPTION_INVALID) also for a name that there is not
 */
export function checkOptions<T extends object>(whose: string, options: T, checks: Checks<T>): void {
  const stranger = Object.keys(options).find((name) => !Object.hasOwn(checks, name));
  if (stranger !== undefined) {
    const names = Object.keys(checks).join(', ');
    throw new TmemError('OPTION_INVALID', `${whose} has no option ${stranger}, only ${names}`);
  }
  checkSome(whose, options, checks);
}
