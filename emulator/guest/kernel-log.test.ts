/** What counts as trouble in a guest's kernel log. */
import { describe, expect, it } from 'vitest';
import { troubleIn } from './kernel-log.js';

describe('troubleIn', () => {
  it('finds what the kernel and the module complain of, in order', () => {
    const trouble = [
      '[    1.0] WARNING: CPU: 0 PID: 1 at mm/page_io.c:1',
      '[    2.0] tmem: the host does not answer; a page that it holds is needed',
      '[    3.0] tmem 0000:00:04.0: host speaks tmem protocol 2, this module 1',
      '[    4.0] INFO: task storm:93 blocked for more than 120 seconds.',
    ];
    const log = ['[    0.5] random: crng init done', ...trouble, ''].join('\n');
    expect(troubleIn(log)).toEqual(trouble);
  });

  it('is not troubled by what every guest prints', () => {
    const log = [
      '[    2.5] tmem: loading out-of-tree module taints kernel.',
      '[    2.5] tmem: module verification failed: signature and/or required key missing',
      '[    2.6] tmem 0000:00:04.0: 130859 slots, 4 queues of 1024, posted puts, direct gets',
      '[    2.7] Adding 1048572k swap on /dev/vda.  Priority:-2 extents:1 across:1048572k FS',
    ].join('\n');
    expect(troubleIn(log)).toEqual([]);
  });
});
