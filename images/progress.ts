/**
 * How a long step tells a waiting person where it is.
 */

/**
 * Takes one short line, without a newline, when a step starts that may take more than a moment.
 * `usualMs` is how long it takes when all is well: who shows only what is slow waits that much more,
 * and for ever with `Infinity`.
 */
export type Progress = (line: string, usualMs?: number) => void;
