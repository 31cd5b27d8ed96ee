/**
 * A guest's console on ours, as it comes: line by line, harmless to the terminal, and never waited
 * for. What nobody reads is left out and counted.
 */

import type { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { printable } from '../../images/index.js';

/** Beyond what the system holds for a reader. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** A line that does not end is shown in pieces. */
const LINE_CHARS_MAX = 4096;

/** Takes a console's bytes. */
export function consoleWriter(output: Writable): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  let line = '';
  let leftOut = 0;
  const write = (text: string): void => {
    if (output.writableLength > UNREAD_BYTES_MAX) {
      leftOut += text.length;
      return;
    }
    if (leftOut > 0) output.write(`(${leftOut} characters were left out)\n`);
    leftOut = 0;
    output.write(`${printable(text.replace(/\r+$/, ''))}\n`);
  };
  return (chunk) => {
    const lines = (line + decoder.write(chunk)).split('\n');
    line = lines.pop() ?? '';
    for (const whole of lines) write(whole);
    for (; line.length > LINE_CHARS_MAX; line = line.slice(LINE_CHARS_MAX)) {
      write(line.slice(0, LINE_CHARS_MAX));
    }
  };
}
