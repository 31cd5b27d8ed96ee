/**
 * A guest that puts without end, and knows what each of its pages must hold. It blocks while it
 * waits for an answer. It owns its connection and its mapping.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { ringEventFd } from '../../../emulator/native/libc.js';
import { PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId } from '../../../emulator/store/client.js';
import { Result } from '../../../emulator/store/results.js';
import { FakeGuest, IvshmemClient } from '../../../emulator/testing/index.js';
import { SharedRegion } from '../../../emulator/transport/region.js';

const OID = objectId(0x51);
/** The unit of st_blocks (stat(2)). */
export const BLOCK_BYTES = 512;
/** Pages that it may have, for each slot that there is. */
const KEYS_PER_SLOT = 2;

export interface FillerOptions {
  readonly socketPath: string;
  readonly vectors: number;
  readonly regionBytes: number;
  readonly isPersistent: boolean;
}

export class Filler implements Disposable {
  readonly #client: IvshmemClient;
  readonly #region: SharedRegion;
  readonly #memory: number;
  readonly #guest: FakeGuest;
  readonly #isPersistent: boolean;
  readonly #words = new Int32Array(PAGE_BYTES / 4);
  /** Number of the put whose page each index has; 0: none. */
  readonly #kept: Int32Array;
  readonly #pool: number;
  #isGone = false;
  puts = 0;
  /** Pages that were not those put, or were gone from a pool that keeps them. */
  wrong = 0;

  private constructor(client: IvshmemClient, options: FillerOptions) {
    this.#client = client;
    this.#isPersistent = options.isPersistent;
    this.#memory = openSync(`/proc/self/fd/${client.memoryFd}`, 'r');
    this.#region = SharedRegion.map(client.memoryFd, options.regionBytes);
    const ring = (): void => ringEventFd(client.hostEventFd);
    this.#guest = new FakeGuest({ region: this.#region, peer: client.peer, ring });
    this.#guest.attach();
    this.#pool = this.#guest.newPool(options.isPersistent ? PoolFlag.PERSIST : 0);
    this.#kept = new Int32Array(this.slots * KEYS_PER_SLOT);
  }

  /** Connects, attaches and makes a pool. */
  static async connect(options: FillerOptions): Promise<Filler> {
    const client = await IvshmemClient.connect(options.socketPath, options.vectors);
    return new Filler(client, options);
  }

  get slots(): number {
    return this.#guest.header.slotCount;
  }

  /** Bytes of the region before its first slot. */
  get headBytes(): number {
    return this.#guest.header.slotPage * PAGE_BYTES;
  }

  /** What the system has given for the region. */
  get memoryBytes(): number {
    return fstatSync(this.#memory).blocks * BLOCK_BYTES;
  }

  /** By which the system tells the region's file from others. */
  get inode(): number {
    return fstatSync(this.#memory).ino;
  }

  /** Puts so many pages, each at the next index. @returns how many were taken */
  put(puts: number): number {
    let taken = 0;
    for (let at = 0; at < puts; at += 1) {
      this.puts += 1;
      this.#words.fill(this.puts);
      const index = this.puts % this.#kept.length;
      const page = new Uint8Array(this.#words.buffer);
      const isTaken = this.#guest.put(this.#pool, OID, index, page) === Result.SUCCESS;
      this.#kept[index] = isTaken ? this.puts : 0;
      if (isTaken) taken += 1;
    }
    return taken;
  }

  /** Reads all pages that it has put. */
  check(): void {
    for (const [index, number] of this.#kept.entries()) {
      if (number === 0) continue;
      const { page } = this.#guest.get(this.#pool, OID, index);
      const words = page === undefined ? undefined : new Int32Array(page.buffer);
      const isRight = words?.every((word) => word === number) ?? !this.#isPersistent;
      if (!isRight) this.wrong += 1;
      if (!this.#isPersistent) this.#kept[index] = 0;
    }
  }

  /** Drops so many pages. */
  flush(pages: number): void {
    let left = pages;
    for (const [index, number] of this.#kept.entries()) {
      if (number === 0 || left === 0) continue;
      this.#guest.flushPage(this.#pool, OID, index);
      this.#kept[index] = 0;
      left -= 1;
    }
  }

  /** Goes, as a machine that ends. */
  [Symbol.dispose](): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#client[Symbol.dispose]();
    this.#region[Symbol.dispose]();
    closeSync(this.#memory);
  }
}
