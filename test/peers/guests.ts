/**
 * The guests that other people's suites run in: one for each way of swapped pages into the module,
 * large enough that the kernel swaps huge pages (Debian's has them on from 512 MiB), and small ones
 * in which it does not and memory itself is what is short.
 */
import type { FrontEnd, GuestOptions } from 'qemu-tmem';

export interface PeerGuest {
  /** For people: front end, and what is special. */
  readonly title: string;
  readonly frontEnd: FrontEnd;
  readonly hugePages: boolean;
  readonly options: GuestOptions;
}

const LARGE_MIB = 704;

/** Where the swapped pages go in; each with a kernel as Debian ships it. */
const WAYS: readonly { readonly frontEnd: FrontEnd; readonly kernel: string }[] = [
  { frontEnd: 'frontswap', kernel: 'debian-6.1' },
  { frontEnd: 'zswap', kernel: 'debian-6.12' },
  { frontEnd: 'block', kernel: 'debian-6.1' },
];

/** With huge pages: a program is made to swap by a memory cgroup. */
export const LARGE_GUESTS: readonly PeerGuest[] = WAYS.map(({ frontEnd, kernel }) => ({
  title: `${frontEnd} (${kernel}, huge pages)`,
  frontEnd,
  hugePages: true,
  options: { kernel, frontEnd, memoryMib: LARGE_MIB, cpus: 2, accel: 'tcg' },
}));

/** Without huge pages: a program is made to swap by being larger than the guest. */
export function smallGuests(memoryMib: number): PeerGuest[] {
  return WAYS.map(({ frontEnd, kernel }) => ({
    title: `${frontEnd} (${kernel}, ${memoryMib} MiB)`,
    frontEnd,
    hugePages: false,
    options: { kernel, frontEnd, memoryMib, accel: 'tcg' },
  }));
}
