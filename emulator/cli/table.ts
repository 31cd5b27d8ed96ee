/**
 * A table in plain text: the first column to the left, the others as told.
 */

import { printable } from '../../images/printable.js';

/** Lines of padded cells with a newline at the end; `right` aligns all columns but the first. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right = false,
): string {
  const lines = [head, ...rows].map((line) => line.map((cell) => printable(cell)));
  const widths = head.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const pad = (text: string, at: number): string =>
    right && at > 0 ? text.padStart(widths[at]!) : text.padEnd(widths[at]!);
  return lines.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('');
}
