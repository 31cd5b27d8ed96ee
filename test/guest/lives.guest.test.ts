/**
 * However a life of the guest's ends, none of its pages answers in the next: the module is loaded
 * anew, the machine is reset, the kernel panics, or gives way to another with no reset between.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { bootGuest, type Guest, TRANSPORTS, type Transport, troubleIn } from 'qemu-tmem';
import { expect, it } from 'vitest';

const MS_MAX = 60_000;
const ENODEV = -19;
const PAGES = 8;
/** The store looks for so long once it was asked something. */
const SPIN_MICROS = 200_000;
const LOOK_MS = 50;

async function ctl(guest: Guest, words: string): Promise<number> {
  const { stdout } = await guest.exec(`tmemctl --json ${words}`, { timeoutMs: MS_MAX });
  return (JSON.parse(stdout) as { result: number }).result;
}

/** The results of a get of each page. */
function gets(guest: Guest, pool: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: PAGES }, (_, page) => ctl(guest, `get ${pool} 7 ${page}`)),
  );
}

async function load(guest: Guest): Promise<void> {
  await guest.sh('insmod /lib/tmem/tmem.ko front_end=none posted_puts=0', { timeoutMs: MS_MAX });
}

/** Looks for pages of the life before; puts some for the next one to look for. */
async function live(guest: Guest, life: number, transport: Transport): Promise<void> {
  expect(await gets(guest, 0)).toEqual(Array(PAGES).fill(ENODEV));
  expect(await guest.store!.stats()).toMatchObject({ sessions: life, pagesUsed: 0, faults: 0 });
  const pool = await ctl(guest, 'new-pool --persistent');
  // The same name as in each life before, and the same keys.
  expect(pool).toBe(0);
  expect(await gets(guest, pool)).toEqual(Array(PAGES).fill(0));
  for (let page = 0; page < PAGES; page += 1) {
    expect(await ctl(guest, `put ${pool} 7 ${page} --fill ${life}`)).toBe(1);
  }
  expect(await gets(guest, pool)).toEqual(Array(PAGES).fill(1));
  expect((await guest.store!.stats()).pagesUsed).toBe(PAGES);
  expect(troubleIn(await guest.dmesg()), transport).toEqual([]);
}

/** Loads the module while the store looks at the guest's words without a pause. */
async function loadWatched(guest: Guest): Promise<void> {
  const loading = load(guest).then(() => 'loaded');
  while ((await Promise.race([loading, delay(LOOK_MS)])) !== 'loaded') await guest.store!.stats();
}

/** The same kernel and initramfs once more, begun by the kernel that runs. */
async function kexec(guest: Guest): Promise<string> {
  const initramfs = /-initrd (\S+)/.exec(guest.command)![1]!;
  for (const [name, path] of Object.entries({ image: guest.kernel.image, initramfs })) {
    const stdin = readFileSync(path);
    await guest.exec(`cat >/tmp/${name}`, { stdin, timeoutMs: MS_MAX });
  }
  // In a session of its own: a guest that is busy with it may look gone, and is greeted anew.
  return 'setsid kexec /tmp/image /tmp/initramfs &';
}

it.each(TRANSPORTS)('over %s, pages end with the life that put them', async (transport) => {
  await using guest = await bootGuest({
    memoryMib: 256,
    accel: 'tcg',
    swap: 'none',
    store: { transport, spinMicros: SPIN_MICROS },
  });
  const ends: (() => Promise<unknown>)[] = [
    () => guest.sh('rmmod tmem'),
    () => guest.beginAgain(),
    // What is left is about the words that a kernel leaves in shared memory.
    ...(transport === 'ivshmem'
      ? [
          () => guest.beginAgain('echo c >/proc/sysrq-trigger'),
          async () => guest.beginAgain(await kexec(guest)),
        ]
      : []),
  ];
  await load(guest);
  await live(guest, 1, transport);
  for (const [before, end] of ends.entries()) {
    await end();
    await loadWatched(guest);
    await live(guest, before + 2, transport);
  }
});
