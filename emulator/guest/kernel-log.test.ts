/** What counts as trouble in a guest's kernel log. */
import { describe, expect, it } from 'vitest';
import { fromTrouble, kernelTrouble, troubleIn } from './kernel-log.js';

/** A memory cgroup of 8 MiB, as the test wanted it. */
const MEMCG_OOM = `\
<4>[   17.179835] tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
<4>[   17.191472] CPU: 0 PID: 87 Comm: tail Tainted: G           OE 6.1.0-57-amd64 #1
<4>[   17.191609] Hardware name: QEMU Standard PC (i440FX + PIIX, 1996)
<4>[   17.191745] Call Trace:
<4>[   17.192537]  <TASK>
<4>[   17.196347]  dump_stack_lvl+0x44/0x5c
<4>[   17.196611]  dump_header+0x4c/0x22b
<4>[   17.196632]  oom_kill_process.cold+0xb/0x10
<4>[   17.196730]  __mem_cgroup_charge+0x28/0x80
<6>[   17.205368] Tasks state (memory values in pages):
<6>[   17.205378] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
<6>[   17.205517] [     87]     0    87     2552     2356    57344        0             0 tail
<6>[   17.205735] oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/m,task=tail,pid=87,uid=0
<3>[   17.206744] Memory cgroup out of memory: Killed process 87 (tail) total-vm:10208kB, anon-rss:8076kB oom_score_adj:0`;

/** sysrq's w, l and t. */
const SYSRQ = `\
<6>[   17.401509] sysrq: Show Blocked State
<6>[   17.402606] sysrq: Show backtrace of all active CPUs
<4>[   17.402985] NMI backtrace for cpu 0
<4>[   17.403036] CPU: 0 PID: 82 Comm: sh Tainted: G           OE 6.1.0-57-amd64 #1
<4>[   17.403061] Hardware name: QEMU Standard PC (i440FX + PIIX, 1996)
<4>[   17.403076] Call Trace:
<4>[   17.403110]  <TASK>
<4>[   17.403141]  dump_stack_lvl+0x44/0x5c
<4>[   17.403189]  nmi_cpu_backtrace.cold+0x32/0x79
<4>[   17.403208]  ? lapic_can_unplug_cpu+0x70/0x70
<4>[   17.403630]  ? exit_to_user_mode_prepare+0x44/0x240
<4>[   17.403650]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
<4>[   17.403674] RIP: 0033:0x47b7a0
<4>[   17.403729] RSP: 002b:00007ffc3a58b668 ORIG_RAX: 0000000000000001
<4>[   17.403759] RAX: ffffffffffffffda RBX: 0000000000000001 RCX: 000000000047b7a0
<4>[   17.403832]  </TASK>
<6>[   17.404433] sysrq: Show State
<6>[   17.405292] task:init            state:S stack:0     pid:1     ppid:0
<6>[   17.405529] Call Trace:
<6>[   17.405616]  <TASK>
<6>[   17.405660]  __schedule+0x34d/0xa00
<6>[   17.405716]  schedule+0x5a/0xd0
<6>[   17.405736]  schedule_hrtimeout_range_clock+0x112/0x120`;

/** sysrq's f. */
const SYSRQ_OOM = `\
<6>[   21.667458] sysrq: Manual OOM execution
<4>[   21.673769] kworker/0:0 invoked oom-killer: gfp_mask=0xcc0, order=-1, oom_score_adj=0
<4>[   21.674142] CPU: 0 PID: 7 Comm: kworker/0:0 Tainted: G           OE 6.1.0-57-amd64 #1
<4>[   21.674631] Hardware name: QEMU Standard PC (i440FX + PIIX, 1996)
<4>[   21.674665] Workqueue: events moom_callback
<4>[   21.674736] Call Trace:
<4>[   21.674774]  <TASK>
<4>[   21.674811]  dump_stack_lvl+0x44/0x5c
<4>[   21.674870]  oom_kill_process.cold+0xb/0x10
<4>[   21.674920]  moom_callback+0x76/0xb0
<4>[   21.674947]  process_one_work+0x1c7/0x380
<6>[   21.684494] [     91]     0    91    15216     1711    49152        0          -500 tail
<6>[   21.684513] [     92]     0    92      565        1    28672        0          -500 sleep
<6>[   21.684544] oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/,task=tail,pid=91,uid=0
<3>[   21.684774] Out of memory: Killed process 91 (tail) total-vm:60864kB, anon-rss:5432kB oom_score_adj:-500`;

const GLOBAL_OOM = `\
<4>[   35.160951] tail invoked oom-killer: gfp_mask=0x140dca, order=0, oom_score_adj=900
<4>[   35.161091] CPU: 0 PID: 95 Comm: tail Tainted: G           OE 6.1.0-57-amd64 #1
<4>[   35.161121] Hardware name: QEMU Standard PC (i440FX + PIIX, 1996)
<4>[   35.161139] Call Trace:
<4>[   35.161177]  <TASK>
<4>[   35.161219]  dump_stack_lvl+0x44/0x5c
<4>[   35.161345]  oom_kill_process.cold+0xb/0x10
<6>[   35.163469] [     82]     0    82      565      412    28672        0          -500 sh
<6>[   35.163510] [     88]     0    88      565       21    28672        0          -500 sh
<6>[   35.163535] [     92]     0    92      565        1    28672        0          -500 sleep
<6>[   35.163558] [     95]     0    95    42434    42220   380928        0           900 tail
<6>[   35.163580] oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/,task=tail,pid=95,uid=0
<3>[   35.163776] Out of memory: Killed process 95 (tail) total-vm:169736kB, anon-rss:167532kB oom_score_adj:900`;

/** WARN_ON() of a module, cut short. */
const WARNING = `\
[   12.000001] ------------[ cut here ]------------
[   12.000002] refcount_t: underflow; use-after-free.
[   12.000003] WARNING: CPU: 0 PID: 93 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
[   12.000004] Modules linked in: tmem(OE) ext4(E) [last unloaded: fixture(OE)]
[   12.000005] CPU: 0 PID: 93 Comm: storm Tainted: G           OE      6.1.0-57-amd64 #1
[   12.000006] RIP: 0010:refcount_warn_saturate+0xba/0x110
[   12.000007] Call Trace:
[   12.000008]  <TASK>
[   12.000009]  tmem_area_load+0x1d2/0x1f0 [tmem]
[   12.000010]  </TASK>
[   12.000011] ---[ end trace 0000000000000000 ]---`;

const NULL_POINTER = `\
[   13.000001] BUG: kernel NULL pointer dereference, address: 0000000000000010
[   13.000002] #PF: supervisor read access in kernel mode
[   13.000003] #PF: error_code(0x0000) - not-present page
[   13.000004] Oops: 0000 [#1] PREEMPT SMP NOPTI
[   13.000005] RIP: 0010:tmem_queue_wait+0x12/0x90 [tmem]
[   13.000006] Call Trace:
[   13.000007]  <TASK>
[   13.000008]  tmem_area_load+0x1d2/0x1f0 [tmem]
[   13.000009]  </TASK>
[   13.000010] Modules linked in: tmem(OE)
[   13.000011] ---[ end trace 0000000000000000 ]---`;

const KASAN = `\
[    9.000001] ==================================================================
[    9.000002] BUG: KASAN: slab-use-after-free in tmem_get+0x40/0x80 [tmem]
[    9.000003] Read of size 8 at addr ffff888003c1a000 by task storm/93
[    9.000004] 
[    9.000005] Call Trace:
[    9.000006]  <TASK>
[    9.000007]  kasan_report+0xbf/0xf0
[    9.000008]  </TASK>
[    9.000009] 
[    9.000010] Allocated by task 93:
[    9.000011]  kmalloc_trace+0x2a/0xa0
[    9.000012] ==================================================================`;

const LOCKDEP = `\
[    8.000001] ======================================================
[    8.000002] WARNING: possible circular locking dependency detected
[    8.000003] 6.1.192 #1 Tainted: G           OE
[    8.000004] ------------------------------------------------------
[    8.000005] storm/93 is trying to acquire lock:
[    8.000006] ffffffffc0a0 (&queue->lock){-.-.}-{2:2}, at: tmem_queue_post+0x20/0x80 [tmem]
[    8.000007] stack backtrace:
[    8.000008] CPU: 0 PID: 93 Comm: storm Tainted: G           OE      6.1.192 #1
[    8.000009] Call Trace:
[    8.000010]  <TASK>
[    8.000011]  __lock_acquire+0x1390/0x1eb0
[    8.000012]  </TASK>`;

const HUNG_TASK = `\
[  245.000001] INFO: task storm:93 blocked for more than 120 seconds.
[  245.000002]       Tainted: G           OE      6.1.0-57-amd64 #1
[  245.000003] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
[  245.000004] task:storm           state:D stack:0     pid:93    ppid:1
[  245.000005] Call Trace:
[  245.000006]  <TASK>
[  245.000007]  __schedule+0x34d/0xa00
[  245.000008]  </TASK>`;

const SOFT_LOCKUP = `\
[   48.000001] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [storm:93]
[   48.000002] Modules linked in: tmem(OE)
[   48.000003] CPU: 0 PID: 93 Comm: storm Tainted: G           OE      6.1.0-57-amd64 #1
[   48.000004] RIP: 0010:tmem_link_read+0x22/0x90 [tmem]
[   48.000005] Call Trace:
[   48.000006]  <IRQ>
[   48.000007]  vring_interrupt+0x5c/0xa0
[   48.000008]  </IRQ>`;

const ALLOCATION = `\
[   21.000001] storm: page allocation failure: order:0, mode:0x40800(GFP_NOWAIT|__GFP_COMP)
[   21.000002] CPU: 0 PID: 93 Comm: storm Tainted: G           OE      6.1.0-57-amd64 #1
[   21.000003] Call Trace:
[   21.000004]  <TASK>
[   21.000005]  warn_alloc+0x125/0x1b0
[   21.000006]  </TASK>`;

/** dump_stack() of an unknown somebody. */
const BARE = `\
<6>[    3.000001] something began
<4>[    3.000002] CPU: 0 PID: 93 Comm: storm Tainted: G           OE      6.1.0-57-amd64 #1
<4>[    3.000003] Call Trace:
<4>[    3.000004]  <TASK>
<4>[    3.000005]  something+0x5/0x10
<4>[    3.000006]  </TASK>`;

describe('a report', () => {
  it.each([
    ['WARN_ON()', WARNING, 'refcount_t: underflow; use-after-free.'],
    ['an oops', NULL_POINTER, 'BUG: kernel NULL pointer dereference, address: 0000000000000010'],
    ['KASAN', KASAN, 'BUG: KASAN: slab-use-after-free in tmem_get+0x40/0x80 [tmem]'],
    ['lockdep', LOCKDEP, 'WARNING: possible circular locking dependency detected'],
    ['a hung task', HUNG_TASK, 'INFO: task storm:93 blocked for more than 120 seconds.'],
    ['a soft lockup', SOFT_LOCKUP, 'watchdog: BUG: soft lockup - CPU#0 stuck for 26s!'],
    ['an allocation', ALLOCATION, 'storm: page allocation failure: order:0, mode:0x40800'],
    ['an OOM kill', GLOBAL_OOM, 'Out of memory: Killed process 95 (tail)'],
  ])('of %s is one trouble, from its begin to its end', (_what, report, line) => {
    const around = ['[    0.000000] Linux version 6.1.0', report, '[  900.0] all is well', ''];
    const troubles = kernelTrouble(around.join('\n'), { whole: true });
    expect(troubles.map((trouble) => trouble.line)).toEqual([expect.stringContaining(line)]);
    const shown = report.split('\n').map((text) => text.replace(/^<\d>/, '').trimEnd());
    expect(troubles[0]!.report).toBe(shown.join('\n'));
  });

  it('does not take the next one with it', () => {
    const disk = '[   14.0] I/O error, dev vda, sector 8 op 0x1:(WRITE) flags 0x0 phys_seg 1';
    const log = [disk, WARNING, GLOBAL_OOM, NULL_POINTER, HUNG_TASK, disk, MEMCG_OOM].join('\n');
    expect(kernelTrouble(log).map(({ report }) => report.split('\n').length)).toEqual([
      1,
      WARNING.split('\n').length,
      GLOBAL_OOM.split('\n').length,
      NULL_POINTER.split('\n').length,
      HUNG_TASK.split('\n').length,
      1,
    ]);
  });

  it('that has no end ends', () => {
    const cut = WARNING.split('\n').slice(0, 5).join('\n');
    expect(kernelTrouble(cut)[0]?.line).toContain('refcount_t');
    expect(kernelTrouble(`${cut}\n${WARNING}`)).toHaveLength(2);
  });
});

describe('troubleIn', () => {
  it.each([
    'watchdog: hard LOCKUP on CPU 0',
    'BUG: Bad page state in process storm  pfn:0f00f',
    'BUG: Bad rss-counter state mm:00000000 type:MM_SWAPENTS val:4',
    'BUG kmalloc-64 (Tainted: G    B      OE     ): Redzone overwritten',
    '_swap_info_get: Bad swap file entry 3ffffffffff',
    'swap_dup: Unused swap offset entry 00000012',
    'get_swap_device: Bad swap file entry 3ffffffffff',
    'blk_update_request: critical space allocation error, dev tmem0, sector 8 op 0x1:(WRITE)',
    'critical target error, dev failstop0, sector 64 op 0x0:(READ) flags 0x0',
    'Buffer I/O error on dev vda, logical block 0, async page read',
    'Write-error on swap-device (253:0:8)',
    'Read-error on swap-device (253:0:8)',
    'Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF',
    'unreferenced object 0xffff888003c1a000 (size 64):',
    'kmemleak: 3 new suspicious memory leaks (see /sys/kernel/debug/kmemleak)',
    'BUG: KCSAN: data-race in tmem_put / tmem_get',
    'BUG: KMSAN: uninit-value in tmem_put+0x10/0x20',
    'UBSAN: shift-out-of-bounds in mm/page_io.c:12:3',
    'rcu: INFO: rcu_preempt self-detected stall on CPU',
    'rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... }',
    'Kernel panic - not syncing: sysrq triggered crash',
    'EXT4-fs error (device vdb): ext4_lookup:1785: inode #2: comm storm: deleted inode',
    'Decompression error from zswap (0:12 lzo 100->4096)',
    'tmem: the host does not answer; a page that it holds is needed',
    'tmem 0000:00:04.0: host speaks tmem protocol 2, this module 1',
  ])('finds: %s', (text) => {
    const line = `[    1.000000] ${text}`;
    expect(troubleIn(`[    0.5] random: crng init done\n${line}\n`)).toEqual([line]);
    expect(troubleIn(`<4>[    1.000000][   T93] ${text}`)).toEqual([
      `[    1.000000][   T93] ${text}`,
    ]);
  });

  it.each([
    ['what every guest prints', 'tmem: loading out-of-tree module taints kernel.'],
    [
      'an unsigned module',
      'tmem: module verification failed: signature and/or required key missing',
    ],
    ['our slots', 'tmem 0000:00:04.0: 130859 slots, 4 queues of 1024, posted puts, direct gets'],
    ['swapon', 'Adding 1048572k swap on /dev/vda.  Priority:-2 extents:1 across:1048572k FS'],
    ['a process of its own fault', 'traps: a[93] general protection fault ip:401 sp:7ff error:0'],
    ['an illegal instruction', 'traps: a.out[93] trap invalid opcode ip:401136 sp:7ffc error:0'],
    ['a word that only ends like it', 'acpi DEBUG: all is well'],
    ['a memory cgroup at its limit', MEMCG_OOM],
    ['sysrq', SYSRQ],
    ["sysrq's OOM kill", SYSRQ_OOM],
    ['what a program says', '<12>[    1.000000] BUG: said by a user'],
    ['what is for debugging only', '<7>[    1.000000] xyz: WARNING: not now'],
  ])('is not troubled by %s', (_what, text) => {
    const log = text.includes('[ ') ? text : `[    1.000000] ${text}`;
    expect(troubleIn(log)).toEqual([]);
    if (!/^<(12|7)>/.test(log)) expect(troubleIn(log.replaceAll(/^<\d>/gm, ''))).toEqual([]);
  });

  it('finds a stack that nobody asked for', () => {
    expect(troubleIn(BARE)).toEqual(['[    3.000003] Call Trace:']);
    expect(troubleIn(`${SYSRQ}\n${BARE}`)).toEqual(['[    3.000003] Call Trace:']);
  });

  it('gives nothing that a terminal would obey', () => {
    const [line] = troubleIn('[    1.0] BUG: \x1b]0;owned\x07 in \x9b2Jprocess');
    expect(line).toBe('[    1.0] BUG: \\x1b]0;owned\\x07 in \\x9b2Jprocess');
  });
});

describe('a whole log', () => {
  it('whose beginning is lost says so', () => {
    const begin = '<5>[    0.000000] Linux version 6.1.0-57-amd64 (gcc-12) #1 SMP';
    expect(kernelTrouble(`${begin}\n`, { whole: true })).toEqual([]);
    for (const log of ['<6>[    4.2] usb 1-1: new device\n', '']) {
      const [trouble] = kernelTrouble(log, { whole: true });
      expect(trouble?.line).toMatch(/^the beginning of the kernel log is lost/);
      expect(kernelTrouble(log)).toEqual([]);
    }
  });
});

describe('what is allowed', () => {
  it('is a report of which a line is like it, and no other', () => {
    const log = [WARNING, HUNG_TASK].join('\n');
    const left = (...allow: RegExp[]): number => kernelTrouble(log, { allow }).length;
    expect(left(/refcount_warn_saturate/)).toBe(1);
    expect(left(/blocked for more/, /lib\/refcount\.c/)).toBe(0);
    expect(left(/no such/)).toBe(2);
    // Every report names every module.
    expect(left(/ext4/)).toBe(2);
  });
});

describe('a console', () => {
  it('is shown from its first trouble on', () => {
    const panic = '[   13.1] Kernel panic - not syncing: Fatal exception';
    const console = `boot\r\nmore\n${NULL_POINTER}\n${panic}\n\x1b[2Jend`;
    const shown = fromTrouble(console, 100);
    expect(shown).toBe(`${NULL_POINTER}\n${panic}\n\\x1b[2Jend`);
    expect(fromTrouble('boot\nmore\n', 100)).toBeUndefined();
  });

  it('that says much is shown with the first trouble and the last', () => {
    const panic = ['Kernel panic - not syncing: x', 'CPU: 0 PID: 1', 'Call Trace:', ' a+0x1/0x2'];
    const chatter = Array.from({ length: 50 }, (_, at) => `line ${at}`);
    const console = ['boot', ...WARNING.split('\n'), ...chatter, ...panic, ...chatter].join('\n');
    expect(fromTrouble(console, 8)?.split('\n')).toEqual([
      ...WARNING.split('\n').slice(0, 4),
      '(57 more lines)',
      ...panic,
      '(50 more lines)',
    ]);
    // Where the last is in the first half, all goes on from there.
    expect(fromTrouble(['boot', ...panic, ...chatter].join('\n'), 10)?.split('\n')).toEqual([
      ...panic,
      ...chatter.slice(0, 6),
      '(44 more lines)',
    ]);
  });
});
