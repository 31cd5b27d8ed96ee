#!/usr/bin/env node
/**
 * `tmem`: looks whether this process may open as many files as the program is made of, and runs it.
 *
 * Node opens all of them at once, and one that cannot be opened would end in an error of its own.
 */
import { ExitCode } from '../errors.js';
import { DescriptorLimitError, descriptorLimit } from '../native/descriptors.js';

/** The program's files, a store with all its eventfds, and a guest. */
const DESCRIPTORS_MIN = 256;

async function main(): Promise<number> {
  const limit = descriptorLimit();
  if (limit >= DESCRIPTORS_MIN) return (await import('./program.js')).runProgram();
  const error = new DescriptorLimitError(
    `this process may have ${limit} descriptors, and ${DESCRIPTORS_MIN} are needed`,
  );
  process.stderr.write(`tmem: ${error.code}: ${error.message}\n`);
  return ExitCode.UNAVAILABLE;
}

process.exitCode = await main();
