/**
 * What a hostile guest does to be as great a burden as it can, as long as it is let.
 */
import { ringEventFd } from '../../../emulator/native/libc.js';
import { Command, GuestState, PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId } from '../../../emulator/store/client.js';
import { FakeGuest, IvshmemClient } from '../../../emulator/testing/index.js';
import { SharedRegion } from '../../../emulator/transport/region.js';

export const ATTACKS = ['flood', 'keys', 'lives', 'doorbells', 'lies'] as const;
export type Attack = (typeof ATTACKS)[number];

export interface Machine extends Disposable {
  readonly client: IvshmemClient;
  readonly guest: FakeGuest;
  readonly region: SharedRegion;
}

/** A machine that connects to a server, and the guest in it, attached. */
export async function connectMachine(path: string, bytes: number): Promise<Machine> {
  const client = await IvshmemClient.connect(path, 1);
  const region = SharedRegion.map(client.memoryFd, bytes);
  const ring = (): void => ringEventFd(client.hostEventFd);
  const guest = new FakeGuest({ region, peer: client.peer, ring, replyMsMax: 30_000 });
  guest.attach();
  const dispose = (): void => {
    region[Symbol.dispose]();
    client[Symbol.dispose]();
  };
  return { client, guest, region, [Symbol.dispose]: dispose };
}

/** Word of a descriptor that tells its sequence. */
const SEQUENCE_WORD = 11;

/** Keeps the queue full of gets of a page that is there: the host never comes to its end. */
function flood({ guest, region }: Machine, until: number): void {
  const { queueEntries } = guest.header;
  const pool = guest.newPool(PoolFlag.PERSIST);
  guest.put(pool, objectId(1), 0, new Uint8Array(PAGE_BYTES));
  let tail = guest.peek(guest.queueOffset(0, 'tail'));
  for (let place = 0; place < queueEntries; place += 1) {
    guest.writeDescriptor(0, tail + place, { command: Command.GET_PAGE, pool, oid: objectId(1) });
  }
  while (performance.now() < until) {
    const head = guest.peek(guest.queueOffset(0, 'head'));
    for (let free = queueEntries - ((tail - head) >>> 0); free > 0; free -= 1) {
      region.words[guest.descriptorOffset(0, tail) / 4 + SEQUENCE_WORD] = tail;
      tail = (tail + 1) >>> 0;
    }
    guest.poke(guest.queueOffset(0, 'tail'), tail);
    guest.ringIfAsleep();
  }
  while (guest.peek(guest.queueOffset(0, 'head')) !== tail) guest.ringIfAsleep();
}

/** Puts pages under ever other objects, then drops them all at once. */
function keys({ guest }: Machine, until: number): void {
  const page = new Uint8Array(PAGE_BYTES);
  for (let object = 1; performance.now() < until; ) {
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let count = 0; count < 2000 && performance.now() < until; count += 1, object += 1) {
      guest.put(pool, objectId(object << 16, object), object, page);
    }
    guest.destroyPool(pool);
  }
}

/** Begins one life after the other. */
function lives({ guest }: Machine, until: number): void {
  for (let epoch = 1; performance.now() < until; epoch += 1) guest.announce(epoch);
  guest.pokeHeader('guest_state', GuestState.DETACHED);
}

/** Rings though nobody sleeps and nothing is there. */
function doorbells({ client }: Machine, until: number): void {
  while (performance.now() < until) ringEventFd(client.hostEventFd);
}

/** Breaks a rule, is cut off, and comes back as another machine. @returns how often */
async function lies(path: string, bytes: number, until: number): Promise<number> {
  let machines = 0;
  while (performance.now() < until) {
    using machine = await connectMachine(path, bytes);
    const { guest } = machine;
    guest.post(0, { command: Command.PUT_PAGE, slot: 0x7fff_ffff });
    while (guest.peekHeader('fault') === 0 && performance.now() < until) guest.ringIfAsleep();
    machines += 1;
  }
  return machines;
}

/** Attacks for `ms`. @returns machines that it took */
export async function attack(
  kind: Attack,
  path: string,
  bytes: number,
  ms: number,
): Promise<number> {
  const until = performance.now() + ms;
  if (kind === 'lies') return lies(path, bytes, until);
  using machine = await connectMachine(path, bytes);
  switch (kind) {
    case 'flood':
      flood(machine, until);
      break;
    case 'keys':
      keys(machine, until);
      break;
    case 'lives':
      lives(machine, until);
      break;
    case 'doorbells':
      doorbells(machine, until);
      break;
  }
  return 1;
}
