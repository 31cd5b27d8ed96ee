/**
 * SPECIFICATION.md as a program reads it: each row of its tables is a promise, and the command in
 * its last column is what shows that it holds. The document is the one list there is.
 */
import { readFileSync } from 'node:fs';

export interface Promised {
  /** As in `4.2`. */
  readonly number: string;
  readonly promise: string;
  readonly aim: string;
  /** A proof, or test files; runs from the top folder. */
  readonly command: Command;
}

export type Command =
  | { readonly kind: 'prove'; readonly proof: string; readonly text: string }
  | { readonly kind: 'test'; readonly files: readonly string[]; readonly text: string };

/** `code` SPECIFICATION_INVALID: a row that is not as this file says. */
export class SpecificationError extends Error {
  readonly code = 'SPECIFICATION_INVALID';
  override readonly name = 'SpecificationError';
}

const COMMAND = /^`(npm run prove -- ([a-z-]+)|npm test -- (\S+(?: \S+)*))`$/;

function parseCommand(number: string, cell: string): Command {
  const match = COMMAND.exec(cell);
  if (match === null) {
    throw new SpecificationError(
      `${number}: ${cell} is neither \`npm run prove -- NAME\` nor \`npm test -- FILE...\``,
    );
  }
  const [, text, proof, files] = match;
  if (proof !== undefined) return { kind: 'prove', proof, text: text! };
  return { kind: 'test', files: files!.split(' '), text: text! };
}

/**
 * The promises of a text such as SPECIFICATION.md, in its order.
 * @throws SpecificationError
 */
export function parseSpecification(text: string): Promised[] {
  const promises: Promised[] = [];
  for (const line of text.split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim());
    const number = cells[1] ?? '';
    if (!/^\d+\.\d+$/.test(number)) continue;
    if (cells.length !== 6) {
      throw new SpecificationError(`${number}: a row has number, promise, aim and command`);
    }
    if (promises.some((one) => one.number === number)) {
      throw new SpecificationError(`${number} is there twice`);
    }
    const [, , promise, aim, command] = cells;
    promises.push({
      number,
      promise: promise!,
      aim: aim!,
      command: parseCommand(number, command!),
    });
  }
  return promises;
}

/** The promises of this project. `root`: its top folder. */
export function readSpecification(root: string): Promised[] {
  return parseSpecification(readFileSync(`${root}/SPECIFICATION.md`, 'utf8'));
}
