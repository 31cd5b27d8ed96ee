/**
 * Taking the store's device away from a guest that runs, and giving it back: what tests of that
 * share.
 */
import { type Guest, type GuestCounters, type Transport, troubleIn } from 'qemu-tmem';
import { expect } from 'vitest';

export const COMMAND_MS_MAX = 120_000;

/** Lines that a kernel and a module say of pages that went with their device. */
export const LOSS = /I\/O error|(Read|Write)-error on swap|\btmem: (page|the device is gone)/;

export interface Storm {
  readonly code: number;
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly pagesLost: number;
  readonly processesDied: number;
}

/** A storm whose processes outlive pages that cannot be had. */
export async function storm(guest: Guest, words: string): Promise<Storm> {
  const command = `exec storm --json --pageout --survive ${words}`;
  const { code, stdout } = await guest.exec(command, { timeoutMs: COMMAND_MS_MAX });
  return { code, ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Omit<Storm, 'code'>) };
}

/** The PCI device that the module has, to be removed and found again by the guest itself. */
const REMOVE: Record<Transport, string> = {
  ivshmem: 'for d in /sys/bus/pci/drivers/tmem/0000:*; do echo 1 >$d/remove; done',
  'virtio-serial':
    'for d in /sys/bus/virtio/drivers/tmem_serial/virtio*; do' +
    ' echo 1 >$(readlink -f $d)/../remove; done',
};

/** By sysfs: what a person in the guest can do. Over when the module has let go of the device. */
export async function removeBySysfs(guest: Guest, transport: Transport): Promise<void> {
  await guest.sh(REMOVE[transport], { timeoutMs: COMMAND_MS_MAX });
}

export async function rescan(guest: Guest): Promise<void> {
  await guest.sh('echo 1 >/sys/bus/pci/rescan', { timeoutMs: COMMAND_MS_MAX });
}

interface QomEntry {
  readonly name: string;
  readonly type: string;
}

/** QEMU's name for the store's device. */
async function deviceOf(guest: Guest, transport: Transport): Promise<string> {
  if (transport === 'virtio-serial') return 'tmem-serial';
  const path = '/machine/peripheral-anon';
  const entries = (await guest.qmp.execute('qom-list', { path })) as readonly QomEntry[];
  const { name } = entries.find(({ type }) => type === 'child<ivshmem-doorbell>')!;
  return `${path}/${name}`;
}

/** By QEMU's monitor: asks the guest to let go, and is over when QEMU has dropped the device. */
export async function unplug(guest: Guest, transport: Transport): Promise<void> {
  const id = await deviceOf(guest, transport);
  const path = id.startsWith('/') ? id : `/machine/peripheral/${id}`;
  await guest.qmp.execute('device_del', { id });
  const deadline = Date.now() + COMMAND_MS_MAX;
  const isThere = () =>
    guest.qmp.execute('qom-list', { path }).then(
      () => true,
      () => false,
    );
  while (await isThere()) {
    if (Date.now() > deadline) throw new Error(`${id} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** By QEMU's monitor, with a connection of its own: the server greets each once. */
export async function plugIvshmem(guest: Guest): Promise<void> {
  const { socketPath, vectors } = guest.store!;
  await guest.qmp.execute('chardev-remove', { id: 'tmem' });
  const addr = { type: 'unix', data: { path: socketPath } };
  const backend = { type: 'socket', data: { addr, server: false } };
  await guest.qmp.execute('chardev-add', { id: 'tmem', backend } as never);
  const device = { driver: 'ivshmem-doorbell', chardev: 'tmem', vectors };
  await guest.qmp.execute('device_add', device as never);
}

/** Waits until a counter of the module's is what is wanted. */
export async function counted(
  guest: Guest,
  wanted: (module: GuestCounters['module']) => boolean,
): Promise<GuestCounters['module']> {
  const deadline = Date.now() + COMMAND_MS_MAX;
  for (;;) {
    const { module } = await guest.counters();
    if (wanted(module)) return module;
    if (Date.now() > deadline) throw new Error(`the module counts ${JSON.stringify(module)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Of the storm, and of the programs beside it: they must still run when the device goes. */
const SECONDS = 12;
/** Of the storm's 8,192: so many are swapped out when the device goes. */
const HELD_MIN = 1000;
const GONE = /tmem: the device is gone, and (\d+) pages with it/g;
/** What must hold of a storm, whatever it lost. */
const RIGHT = { code: 0, pagesWrong: 0, processesDied: 0 };

/** Swap, hypercalls and looks at debugfs, until the device has gone under them, and after. */
export async function useWhile(guest: Guest, remove: () => Promise<void>): Promise<void> {
  // So many that some of them have pages swapped out at any moment.
  const words = `--mib 32 --procs 8 --passes 1000000 --seconds ${SECONDS}`;
  const running = storm(guest, words);
  const hammer = guest.exec(`tmemctl hammer ${SECONDS} --seed 7`, { timeoutMs: COMMAND_MS_MAX });
  const looks = 'for i in $(seq 200); do cat /sys/kernel/debug/tmem/* >/dev/null; done';
  const look = guest.exec(looks, { timeoutMs: COMMAND_MS_MAX });
  // Asked of the store: a guest that is busy answers when the storm is over.
  const isHeld = async () => (await guest.store!.stats()).pagesUsed > HELD_MIN;
  await expect.poll(isHeld, { timeout: COMMAND_MS_MAX }).toBe(true);
  await remove();
  const gone = await running;
  expect(gone).toMatchObject(RIGHT);
  expect(gone.pagesLost).toBeGreaterThan(10);
  expect(await hammer).toMatchObject({ code: 0, stdout: expect.stringContaining('"wrong":0') });
  expect(await look).toMatchObject({ code: 0 });
}

/** What the module says once the device has gone, and that nothing is put any more. */
export async function expectGone(guest: Guest): Promise<void> {
  const { module } = await guest.counters();
  expect(module).toMatchObject({ devices_gone: 1, gets_mismatched: 0, host_errors: 0 });
  expect(module.lost).toBeGreaterThan(10);
  const next = await storm(guest, '--mib 2 --passes 1');
  expect(next).toMatchObject({ ...RIGHT, pagesLost: 0 });
  expect((await guest.counters()).module.puts).toBe(module.puts);
  const log = await guest.dmesg();
  expect([...log.matchAll(GONE)].map(([, pages]) => Number(pages) > 10)).toEqual([true]);
  expect(troubleIn(log).filter((line) => !LOSS.test(line))).toEqual([]);
}

/** Another device: swap that was on goes to it from now on, and nothing of it is lost. */
export async function expectServed(guest: Guest, transport: Transport): Promise<void> {
  const { puts = 0, lost } = await counted(guest, ({ features }) => features !== 0);
  const next = await storm(guest, '--mib 6 --passes 1');
  expect(next, transport).toMatchObject({ ...RIGHT, pagesLost: 0 });
  const { module } = await guest.counters();
  expect(module.puts! - puts).toBeGreaterThan(500);
  expect(module.lost).toBe(lost);
}

/** Swap goes off, and the module, whose last user that was. */
export async function letGo(guest: Guest): Promise<void> {
  const off = "for d in $(awk 'NR>1 {print $1}' /proc/swaps); do swapoff $d; done; rmmod tmem";
  await guest.sh(off, { timeoutMs: COMMAND_MS_MAX });
  expect(troubleIn(await guest.dmesg()).filter((line) => !LOSS.test(line))).toEqual([]);
}
