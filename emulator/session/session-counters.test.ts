/**
 * What is refused is not counted as done.
 */
import { expect, it } from 'vitest';
import { Command } from '../protocol/layout.js';
import { Count, countOperation, readCounters } from './session-counters.js';

const EPERM = -1;

it('counts pools that were made and dropped, not those that were asked for', () => {
  const values = new Float64Array(Object.keys(Count).length);
  countOperation(values, Command.NEW_POOL, 0);
  countOperation(values, Command.NEW_POOL, 3);
  countOperation(values, Command.NEW_POOL, EPERM);
  countOperation(values, Command.DESTROY_POOL, 1);
  countOperation(values, Command.DESTROY_POOL, 0);
  expect(readCounters(values)).toMatchObject({ operations: 5, poolsMade: 2, poolsDestroyed: 1 });
});
