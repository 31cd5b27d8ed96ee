// JSON with 64-bit integers. QMP's integers have 64 bits (qapi-code-gen, "Built-in types"),
// JavaScript's numbers 53. What always holds: a bigint in arguments is written as a plain integer;
// with `bigints` an integer that a number cannot hold comes back as a bigint instead of as another
// integer. Reading takes time in proportion to the text's length, whatever is in it.

import { randomUUID } from 'node:crypto';

/** Marks an integer inside a string on its way; nobody else can know it. */
const MARK = `${randomUUID()}:`;
const MARKED = new RegExp(`"${MARK}(-?[0-9]+)"`, 'g');
/** Fewer digits always fit in 53 bits, and more never in 64. */
const DIGITS_MIN = 16;
const DIGITS_MAX = 20;
const LONG_DIGITS = /[0-9]{16}/;
/** What after digits says that they are not all of a number. */
const NO_INTEGER = new Set(['.', 'e', 'E', '+', '-']);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;

/** @throws TypeError for what JSON cannot say (a cycle) */
export function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    const marked = JSON.stringify(value, (_, member) =>
      typeof member === 'bigint' ? MARK + member : member,
    );
    // Nothing was marked: the fault was another.
    if (!marked.includes(MARK)) throw error;
    return marked.replace(MARKED, '$1');
  }
}

/** Where the string that begins at `open` ends, behind its quote; the text's end without one. */
function stringEnd(text: string, open: number): number {
  let quote = text.indexOf('"', open + 1);
  while (quote >= 0) {
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Where the digits from `start` on end. */
function digitsEnd(text: string, start: number): number {
  let end = start;
  while (isDigit(text.charCodeAt(end))) end += 1;
  return end;
}

/** Whether the digits are an integer of 64 bits that a number cannot hold. */
function isLong(text: string, start: number, end: number): boolean {
  const digits = end - start;
  // A fraction or an exponent makes it no integer, and a zero in front no JSON.
  if (digits < DIGITS_MIN || digits > DIGITS_MAX || NO_INTEGER.has(text[end]!)) return false;
  return text[start] !== '0' && !Number.isSafeInteger(Number(text.slice(start, end)));
}

/** Where the number ends whose first digits end at `end`; what follows is part of it. */
function fractionEnd(text: string, end: number): number {
  let at = end;
  while (NO_INTEGER.has(text[at]!) || isDigit(text.charCodeAt(at))) at += 1;
  return at;
}

/** The text with each integer that a number cannot hold as a marked string. */
function markLongIntegers(text: string): string {
  const parts: string[] = [];
  let done = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = stringEnd(text, at);
    } else if (isDigit(code)) {
      const end = digitsEnd(text, at);
      if (isLong(text, at, end)) {
        const from = text.charCodeAt(at - 1) === MINUS ? at - 1 : at;
        parts.push(text.slice(done, from), `"${MARK}${text.slice(from, end)}"`);
        done = end;
      }
      at = fractionEnd(text, end);
    } else {
      at += 1;
    }
  }
  parts.push(text.slice(done));
  return parts.join('');
}

/** @throws SyntaxError */
export function parse(text: string, bigints: boolean): unknown {
  if (!bigints || !LONG_DIGITS.test(text)) return JSON.parse(text);
  return JSON.parse(markLongIntegers(text), (_, member) =>
    typeof member === 'string' && member.startsWith(MARK)
      ? BigInt(member.slice(MARK.length))
      : member,
  );
}
