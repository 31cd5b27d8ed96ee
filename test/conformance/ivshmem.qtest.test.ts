/**
 * The host side against the real ivshmem-doorbell device of QEMU, with no guest: shared memory,
 * doorbells both ways, one client at a time, and what is left behind.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../emulator/lifetime.js';
import {
  closeFd,
  drainEventFd,
  eventFd,
  PollSet,
  ringEventFd,
} from '../../emulator/native/libc.js';
import { computeGeometry, type Geometry } from '../../emulator/protocol/geometry.js';
import { Command, DESCRIPTOR, PAGE_BYTES } from '../../emulator/protocol/layout.js';
import { Session } from '../../emulator/session/session.js';
import { TmemClient } from '../../emulator/store/client.js';
import { headerOffset } from '../../emulator/testing/index.js';
import { HOST_PEER, listenIvshmem } from '../../emulator/transport/ivshmem-server.js';
import { RegionFile, SharedRegion } from '../../emulator/transport/region.js';
import type { SocketServer } from '../../emulator/transport/socket-server.js';
import { QtestMachine } from './qtest.js';
import { encode } from './vectors.js';

const VECTORS = 4;
const REGION_BYTES = 2 ** 20;
const WAIT_MS_MAX = 20_000;

/** Everything of the host but the store's thread. Its descriptors and files go with `lifetime`. */
class Host {
  readonly folder = mkdtempSync(join(tmpdir(), 'tmem-qtest-'));
  readonly socketPath = join(this.folder, 'ivshmem');
  readonly lifetime = new Lifetime();
  readonly region: SharedRegion;
  readonly doorbell: number;
  readonly vectors: readonly number[];
  readonly events: string[] = [];
  readonly #memoryFd: number;
  #noticed: (() => void) | undefined;
  #machines = 0;

  constructor() {
    const { lifetime } = this;
    lifetime.defer(() => rmSync(this.folder, { recursive: true, force: true }));
    const file = lifetime.use(RegionFile.create(REGION_BYTES));
    this.#memoryFd = file.fd;
    this.region = lifetime.use(SharedRegion.map(file.fd, REGION_BYTES));
    const ownedEventFd = (): number => lifetime.adopt(eventFd(), closeFd);
    this.doorbell = ownedEventFd();
    this.vectors = Array.from({ length: VECTORS }, ownedEventFd);
  }

  async listen(): Promise<SocketServer> {
    const note = (event: string): void => {
      this.events.push(event);
      this.#noticed?.();
    };
    return this.lifetime.use(
      await listenIvshmem({
        socketPath: this.socketPath,
        memoryFd: this.#memoryFd,
        hostEventFd: this.doorbell,
        guestEventFds: this.vectors,
        onConnect: (peer) => note(`connect ${peer}`),
        onDisconnect: (peer) => note(`disconnect ${peer}`),
        onRefused: () => note('refused'),
      }),
    );
  }

  async start(): Promise<QtestMachine> {
    this.#machines += 1;
    const folder = join(this.folder, `machine-${this.#machines}`);
    mkdirSync(folder);
    const options = { folder, ivshmemPath: this.socketPath, vectors: VECTORS };
    return this.lifetime.use(await QtestMachine.start(options));
  }

  /** Waits until the server has reported `event`. */
  async saw(event: string): Promise<void> {
    const deadline = AbortSignal.timeout(WAIT_MS_MAX);
    while (!this.events.includes(event)) {
      await new Promise<void>((resolve, reject) => {
        this.#noticed = resolve;
        deadline.addEventListener('abort', () => reject(new Error(`no "${event}" in time`)));
      });
    }
  }
}

let host: Host;
beforeEach(() => {
  host = new Host();
});
afterEach(async () => {
  await host.lifetime[Symbol.asyncDispose]();
});

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'none',
    (error: { code?: unknown }) => error.code,
  );
}

describe('with a QEMU', { timeout: 120_000 }, () => {
  it("BAR 2 is the host's memory, and its size the region's", async () => {
    await host.listen();
    const machine = await host.start();
    expect(await machine.sharedBytes()).toBe(REGION_BYTES);
    await machine.writeShared(REGION_BYTES - 4, 0xdead_beef);
    expect(host.region.load(REGION_BYTES - 4)).toBe(0xdead_beef);
    host.region.store(0, 0x1234_5678);
    expect(await machine.readShared(0)).toBe(0x1234_5678);
    expect(await machine.ivPosition()).toBe(1);
    expect(host.events).toEqual(['connect 1']);
  });

  it('a doorbell write reaches the eventfd of the host, once drained once more', async () => {
    await host.listen();
    const machine = await host.start();
    const poll = new PollSet([host.doorbell]);
    expect(poll.wait(0)).toBe(0);
    for (let times = 0; times < 3; times += 1) {
      await machine.ring(HOST_PEER, 0);
      expect(poll.wait(WAIT_MS_MAX * 1000)).toBe(1);
      drainEventFd(host.doorbell);
      expect(poll.wait(0)).toBe(0);
    }
    // A peer or vector that does not exist rings no one.
    await machine.ring(7, 0);
    await machine.ring(HOST_PEER, 1);
    expect(poll.wait(0)).toBe(0);
  });

  it('each eventfd of the host fires its own interrupt vector', async () => {
    await host.listen();
    const machine = await host.start();
    for (let vector = 0; vector < VECTORS; vector += 1) {
      await machine.armVector(vector, 0x10_0000 + 16 * vector, 0xa0 + vector);
    }
    for (const vector of [2, 0, 3, 1]) {
      expect(await machine.readWord(0x10_0000 + 16 * vector)).toBe(0);
      ringEventFd(host.vectors[vector]!);
      await machine.waitForWord(0x10_0000 + 16 * vector, 0xa0 + vector);
    }
  });

  it('a page goes in and comes out through the device', async () => {
    const geometry = computeGeometry({ regionBytes: REGION_BYTES, queueCount: VECTORS });
    const session = new Session({
      region: host.region,
      geometry,
      client: new TmemClient({ slotCount: geometry.slotCount }),
      hostEpoch: 5,
      hostPeer: HOST_PEER,
      ring: (vector) => ringEventFd(host.vectors[vector]!),
    });
    await host.listen();
    const machine = await host.start();
    await machine.writeShared(headerOffset('guest_epoch'), 77);
    await machine.writeShared(headerOffset('guest_state'), 1);
    session.serve();
    expect(await machine.readShared(headerOffset('session_epoch'))).toBe(77);
    const slot = await machine.readShared(geometry.creditOffset);
    const page = new Uint8Array(PAGE_BYTES).map((_, at) => at ^ (at >>> 8));
    await machine.writeSharedBytes((geometry.slotPage + slot) * PAGE_BYTES, page);
    await machine.armVector(0, 0x10_0000, 0xbe11);
    await machine.writeShared(geometry.queueOffset + 0x40, 1);
    await post(machine, geometry, 0, { command: Command.NEW_POOL, flags: 0x0100_0001 });
    await post(machine, geometry, 1, { command: Command.PUT_PAGE, slot, index: 9 });
    await post(machine, geometry, 2, { command: Command.GET_PAGE, index: 9 });
    expect(session.serve()).toBe(3);
    await machine.waitForWord(0x10_0000, 0xbe11);
    const replyAt = geometry.queueOffset + geometry.replyOffset + 2 * 16;
    expect(await machine.readShared(replyAt)).toBe(1);
    const got = await machine.readShared(replyAt + 4);
    expect(await machine.readSharedPage((geometry.slotPage + got) * PAGE_BYTES)).toEqual(page);
    session.restart(6);
    expect(await machine.readShared((geometry.slotPage + got) * PAGE_BYTES)).toBe(0);
  });
});

describe('one QEMU at a time', { timeout: 120_000 }, () => {
  it('a second client is refused while the first is served', async () => {
    await host.listen();
    const machine = await host.start();
    const socket = connect(host.socketPath);
    const received: Buffer[] = [];
    socket.on('data', (bytes) => received.push(bytes));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(received).toString('hex')).toBe('ffffffffffffffff');
    expect(host.events).toEqual(['connect 1', 'refused']);
    await expect(host.start()).rejects.toThrow(/exited with code 1.*server sent version -1/s);
    expect(await machine.ivPosition()).toBe(1);
  });

  it('the next machine gets a higher id, and everything works as for the first', async () => {
    await host.listen();
    for (const peer of [1, 2, 3]) {
      const machine = await host.start();
      expect(await machine.ivPosition()).toBe(peer);
      await machine.writeShared(64, peer);
      expect(host.region.load(64)).toBe(peer);
      const poll = new PollSet([host.doorbell]);
      await machine.ring(HOST_PEER, 0);
      expect(poll.wait(WAIT_MS_MAX * 1000)).toBe(1);
      drainEventFd(host.doorbell);
      await machine.armVector(0, 0x10_0000, peer);
      ringEventFd(host.vectors[0]!);
      await machine.waitForWord(0x10_0000, peer);
      await machine[Symbol.asyncDispose]();
      await host.saw(`disconnect ${peer}`);
    }
  });

  it('a QEMU outlives the server: its memory stays', async () => {
    const server = await host.listen();
    const machine = await host.start();
    await server[Symbol.asyncDispose]();
    await machine.writeShared(128, 0x77);
    expect(host.region.load(128)).toBe(0x77);
  });
});

describe('the socket', () => {
  it('is removed at the end', async () => {
    const server = await host.listen();
    expect(existsSync(host.socketPath)).toBe(true);
    await server[Symbol.asyncDispose]();
    expect(readdirSync(host.folder)).toEqual([]);
  });

  it('in use is SOCKET_IN_USE, and the one who uses it goes on', async () => {
    await host.listen();
    expect(await codeOf(host.listen())).toBe('SOCKET_IN_USE');
    expect(existsSync(host.socketPath)).toBe(true);
  });

  it('with a path of more than 107 bytes is SOCKET_PATH_TOO_LONG, of 107 is none', async () => {
    const listen = (socketPath: string) =>
      listenIvshmem({ socketPath, memoryFd: -1, hostEventFd: -1, guestEventFds: [] });
    const longest = join(host.folder, 'x'.repeat(106 - Buffer.byteLength(host.folder)));
    expect(Buffer.byteLength(longest)).toBe(107);
    expect(await codeOf(listen(`${longest}x`))).toBe('SOCKET_PATH_TOO_LONG');
    await (await listen(longest))[Symbol.asyncDispose]();
    expect(existsSync(longest)).toBe(false);
  });

  it('in a folder that does not exist is SOCKET_UNUSABLE', async () => {
    const socketPath = join(host.folder, 'missing', 'socket');
    const options = { socketPath, memoryFd: -1, hostEventFd: -1, guestEventFds: [] };
    expect(await codeOf(listenIvshmem(options))).toBe('SOCKET_UNUSABLE');
  });

  it('is not moved by what a client says: its guest still uses the memory', async () => {
    await host.listen();
    const socket = connect(host.socketPath);
    await new Promise((resolve) => socket.once('data', resolve));
    await new Promise((resolve) => socket.write('hello', resolve));
    socket.end();
    await new Promise((resolve) => socket.once('close', resolve));
    await host.saw('disconnect 1');
  });
});

/** Writes a descriptor of queue 0 through BAR 2, then its tail. */
async function post(
  machine: QtestMachine,
  geometry: Geometry,
  sequence: number,
  words: Record<string, number>,
): Promise<void> {
  const zero = { pool: 0, oid: [0, 0, 0], index: 0, slot: 0, flags: 0, reserved: [0, 0, 0] };
  const image = encode(DESCRIPTOR, { command: 0, ...zero, ...words, sequence, epoch: 77 });
  const at = geometry.queueOffset + geometry.descriptorOffset + sequence * DESCRIPTOR.bytes;
  await machine.writeSharedBytes(at, image);
  await machine.writeShared(geometry.queueOffset, sequence + 1);
}
