/**
 * Text of a guest's, made harmless for a terminal or a report: what would move a cursor, set a title
 * or turn the order of letters round is shown as what it is, `\x1b`. Line feeds and tabs stay. What
 * a command of the user's prints is the user's own and does not come through here.
 */

/** C0 but for tab and line feed, DEL, C1; what separates lines or turns them round; half pairs. */
const HARMFUL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for.
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;

function shown(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
}

/** The text with no character that does anything but show. */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(HARMFUL, shown);
}

/** A value as one line of JSON that is as harmless and reads back as the same value. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    HARMFUL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
