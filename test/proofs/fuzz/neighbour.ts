/**
 * Another guest, honest, whose store shares the quota with a hostile one's: its pages stay, and it
 * is answered right.
 */
import { PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId } from '../../../emulator/store/client.js';
import type { PageQuota } from '../../../emulator/store/quota.js';
import { createLoopback, type Loopback } from '../../../emulator/testing/index.js';

const OID = objectId(1);
const PAGES = 8;

export class Neighbour {
  readonly #quota: PageQuota;
  readonly #loop: Loopback;
  readonly #pool: number;
  /** First byte of each page; 0: it is not there. */
  readonly #fills = new Uint8Array(PAGES);
  readonly #page = new Uint8Array(PAGE_BYTES);
  #turn = 0;

  constructor(quota: PageQuota) {
    this.#quota = quota;
    this.#loop = createLoopback({ queueCount: 1, quota });
    this.#loop.guest.attach(1);
    this.#pool = this.#loop.guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < PAGES; index += 1) this.#put(index, index + 1);
  }

  /** Pages of the quota that it has. */
  get pagesTaken(): number {
    const { grantedSlots, usedSlots } = this.#loop.client;
    return grantedSlots + usedSlots;
  }

  #put(index: number, fill: number): void {
    this.#page.fill(fill);
    const result = this.#loop.guest.put(this.#pool, OID, index, this.#page);
    this.#fills[index] = result === 1 ? fill : 0;
  }

  /** Reads one of its pages, and puts another one there. @returns what was wrong */
  use(): string | undefined {
    this.#turn += 1;
    const index = this.#turn % PAGES;
    const fill = this.#fills[index]!;
    const { result, page } = this.#loop.guest.get(this.#pool, OID, index);
    if (result !== (fill === 0 ? 0 : 1)) return `page ${index} was answered ${result}`;
    this.#page.fill(fill);
    if (page !== undefined && Buffer.compare(page, this.#page) !== 0) {
      return `page ${index} has other bytes`;
    }
    this.#put(index, 1 + (this.#turn % 255));
    if (this.#loop.session.isFaulted) return 'it was cut off';
    const mayRefuse = this.#quota.taken >= this.#quota.limit;
    return this.#fills[index] === 0 && !mayRefuse ? `page ${index} was refused` : undefined;
  }
}
