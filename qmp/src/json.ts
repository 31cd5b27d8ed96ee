// JSON with 64-bit integers. QMP's integers have 64 bits (qapi-code-gen, "Built-in types"),
// JavaScript's numbers 53. What always holds: a bigint in arguments is written as a plain integer;
// with `bigints` an integer that a number cannot hold comes back as a bigint instead of as another
// integer.

import { randomUUID } from 'node:crypto';

/** Marks an integer inside a string on its way; nobody else can know it. */
const MARK = `${randomUUID()}:`;
const MARKED = new RegExp(`"${MARK}(-?[0-9]+)"`, 'g');
/** Fewer digits always fit in 53 bits. */
const LONG_DIGITS = /[0-9]{16}/;
/** A whole string or a whole number, so that neither is cut. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
const LONG_INTEGER = /^-?[0-9]{16,}$/;

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

/** @throws SyntaxError */
export function parse(text: string, bigints: boolean): unknown {
  if (!bigints || !LONG_DIGITS.test(text)) return JSON.parse(text);
  const marked = text.replace(STRING_OR_NUMBER, (token) => {
    if (!LONG_INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
    return `"${MARK}${token}"`;
  });
  return JSON.parse(marked, (_, member) =>
    typeof member === 'string' && member.startsWith(MARK)
      ? BigInt(member.slice(MARK.length))
      : member,
  );
}
