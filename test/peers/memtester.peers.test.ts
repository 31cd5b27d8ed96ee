/**
 * memtester over memory that does not fit. It locks what it tests unless it may not, so it runs as
 * somebody who may lock nothing.
 */
import { LARGE_GUESTS, smallGuests } from './guests.js';
import type { PeerCase } from './peer.js';
import { describeSuite } from './suite.js';

/** The tests that write and compare words once or twice: those of single bits do so 64 times. */
const TESTS = 0b1111_1111;

function memtester(mib: number): PeerCase {
  // By its path, since busybox has one of that name that can do less.
  const nobody = '/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all';
  return {
    name: `${mib} MiB`,
    script: `ulimit -l 0; MEMTESTER_TEST_MASK=${TESTS} exec ${nobody} memtester ${mib}M 1`,
    putsMin: mib * 256,
    says: /trying again, unlocked:.*Done\./s,
    neverSays: /FAILURE.*/,
  };
}

const options = { with: ['memtester', 'setpriv'] };

describeSuite({
  name: 'memtester',
  guests: LARGE_GUESTS,
  options,
  cases: [{ ...memtester(48), limitMib: 32 }],
});

describeSuite({
  name: 'memtester',
  guests: smallGuests(192),
  options,
  cases: [memtester(192)],
});
