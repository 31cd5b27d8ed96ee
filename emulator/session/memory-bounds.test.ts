/**
 * How much memory a guest can make the host give, seen from outside, and when it comes back. (What
 * goes with a machine: the proof `quota`.)
 */
import { fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { ringEventFd } from '../native/libc.js';
import { acceptAll } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import { GuestState, PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { FakeGuest, headerOffset, IvshmemClient } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';
import { HostLife } from './host-life.js';
import { TmemServer, type TmemServerOptions } from './server.js';
import { SpareStore } from './spare-store.js';

const WAIT_MS_MAX = 20_000;
const BLOCK_BYTES = 512;
const MIB = 2 ** 20;
const OID = objectId(1);
const PAGES = 150;

let lifetime: Lifetime;
let socketPath: string;
beforeEach(() => {
  lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-bounds-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  socketPath = join(folder, 'socket');
});
afterEach(() => lifetime[Symbol.asyncDispose]());

async function serve(options: Partial<TmemServerOptions>) {
  return lifetime.use(await TmemServer.start({ socketPath, ...options }));
}

async function machine(server: TmemServer) {
  const client = lifetime.use(await IvshmemClient.connect(socketPath, server.vectors));
  const region = lifetime.use(SharedRegion.map(client.memoryFd, server.regionBytes));
  const ring = (): void => ringEventFd(client.hostEventFd);
  const guest = new FakeGuest({ region, peer: client.peer, ring, replyMsMax: WAIT_MS_MAX });
  guest.attach();
  const bytes = (): number => fstatSync(client.memoryFd).blocks * BLOCK_BYTES;
  return { client, region, guest, bytes };
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

it.each([
  [0, 1],
  [100, 1],
  [2000, 16],
  [100_000, 512],
  [Number.POSITIVE_INFINITY, 512],
])(
  'a quota of %s pages has memory of %i MiB, which is all that a guest can touch',
  async (quotaPages, mib) => {
    const server = await serve({ quotaPages });
    expect(server.regionBytes).toBe(mib * MIB);
    const { slots } = await server.stats();
    expect(slots).toBeGreaterThanOrEqual(Math.min(quotaPages, slots));
    if (mib > 16) return;
    const { region, bytes } = await machine(server);
    const slotPage = region.load(headerOffset('slot_page'));
    // A hostile one writes where it was promised nothing.
    new Uint8Array(region.memory, slotPage * PAGE_BYTES).fill(0xff);
    expect(bytes()).toBeLessThanOrEqual(mib * MIB);
  },
);

it('a size that is given is used whatever the quota', async () => {
  expect((await serve({ quotaPages: 10, regionBytes: 4 * MIB })).regionBytes).toBe(4 * MIB);
});

it.each(['a new life', 'none'])(
  "comes back when a guest's life ends and %s begins",
  async (next) => {
    const server = await serve({ regionBytes: MIB, queueEntries: 16 });
    const { guest, region, bytes } = await machine(server);
    const headBytes = region.load(headerOffset('slot_page')) * PAGE_BYTES;
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < PAGES; index += 1) {
      expect(guest.put(pool, OID, index, new Uint8Array(PAGE_BYTES).fill(7))).toBe(1);
    }
    expect(bytes()).toBeGreaterThanOrEqual(PAGES * PAGE_BYTES);
    if (next === 'none') {
      guest.pokeHeader('guest_state', GuestState.DETACHED);
      guest.ringIfAsleep();
      await until('it is given back', () => bytes() <= headBytes);
      return;
    }
    guest.attach();
    expect(bytes()).toBeLessThanOrEqual(headBytes);
    const again = guest.newPool(PoolFlag.PERSIST);
    const page = new Uint8Array(PAGE_BYTES).fill(9);
    expect(guest.put(again, OID, 0, page)).toBe(1);
    expect(guest.get(again, OID, 0).page).toEqual(page);
  },
);

it('a store that is asked what cannot be answers so, and lives', async () => {
  const spare = lifetime.use(new SpareStore(() => {}));
  const life = lifetime.use(
    await HostLife.begin({
      transport: 'ivshmem',
      policy: acceptAll.name,
      quotaPages: 10,
      spinMicros: 0,
      geometry: computeGeometry({ regionBytes: MIB }),
      spare,
      hangMs: 5000,
      onMessage: () => {},
      onEvent: () => {},
    }),
  );
  const { pid } = life.store;
  for (const pages of [-1, Number.NaN, 1.5]) {
    const asked = life.store.request({ kind: 'quota', pages });
    await expect(asked).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      name: 'StoreRequestError',
    });
  }
  const nonsense = { kind: 'sing' } as unknown as { kind: 'stats' };
  await expect(life.store.request(nonsense)).rejects.toMatchObject({ code: 'STORE_REQUEST' });
  expect(await life.store.request({ kind: 'stats' })).toMatchObject({ quotaPages: 10 });
  expect(life.store.pid).toBe(pid);
  // Nor does the next one begin with it.
  process.kill(pid!, 'SIGKILL');
  expect(await life.store.request({ kind: 'stats' })).toMatchObject({
    quotaPages: 10,
    takeovers: 1,
  });
});
