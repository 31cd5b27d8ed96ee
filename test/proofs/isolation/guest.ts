/**
 * A guest's process: told by its parent to measure, as an honest guest, or to attack.
 */
import { randomFillSync } from 'node:crypto';
import { drainEventFd, PollSet } from '../../../emulator/native/libc.js';
import { Command, PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId } from '../../../emulator/store/client.js';
import { type Attack, attack, connectMachine, type Machine } from './attacks.js';

export interface GuestSetup {
  readonly path: string;
  readonly bytes: number;
}

export type GuestOrder =
  | { readonly do: 'measure'; readonly ms: number }
  | { readonly do: 'attack'; readonly kind: Attack; readonly ms: number };

export interface Measured {
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly operations: number;
  /** Answers that were wrong. */
  readonly wrong: number;
}

/** A guest that was not woken looks by itself after so long. */
const SLEEP_MICROS_MAX = 100_000;

const OID = objectId(5);
const PAGES = 256;
const SAMPLES_MAX = 4_000_000;

/** An honest guest that waits for each answer, asleep, and looks at each byte. */
class HonestGuest {
  readonly #machine: Machine;
  readonly #vector: number;
  readonly #poll: PollSet;
  #sleeps = 0;
  readonly #pool: number;
  readonly #pages = Array.from({ length: PAGES }, () => randomFillSync(new Uint8Array(PAGE_BYTES)));
  readonly #samples = new Float64Array(SAMPLES_MAX);

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#vector = machine.client.vectorFds[0]!;
    this.#poll = new PollSet([this.#vector]);
    this.#pool = machine.guest.newPool(PoolFlag.PERSIST);
    for (const [index, page] of this.#pages.entries()) {
      machine.guest.put(this.#pool, OID, index, page);
    }
  }

  /** Posts, and sleeps until the answer is there. @returns microseconds */
  #ask(command: number, index: number, slot: number): number {
    const { guest } = this.#machine;
    const headAt = guest.queueOffset(0, 'head');
    const clock = performance.now();
    const sequence = guest.post(0, { command, pool: this.#pool, oid: OID, index, slot });
    for (;;) {
      this.#sleeps = (this.#sleeps + 2) | 1;
      guest.poke(guest.queueOffset(0, 'guest_sleep'), this.#sleeps);
      if (guest.peek(headAt) === (sequence + 1) >>> 0) break;
      guest.ringIfAsleep();
      if (this.#poll.wait(SLEEP_MICROS_MAX) !== 0) drainEventFd(this.#vector);
    }
    guest.poke(guest.queueOffset(0, 'guest_sleep'), 0);
    return (performance.now() - clock) * 1000;
  }

  measure(ms: number): Measured {
    const { guest, region } = this.#machine;
    const { slotPage } = guest.header;
    const seen = new Uint8Array(PAGE_BYTES);
    const until = performance.now() + ms;
    let wrong = 0;
    let count = 0;
    for (let turn = 0; performance.now() < until && count + 2 <= SAMPLES_MAX; turn += 1) {
      const index = turn % PAGES;
      const page = this.#pages[index]!;
      this.#samples[count++] = this.#ask(Command.GET_PAGE, index, 0);
      const tail = guest.peek(guest.queueOffset(0, 'tail'));
      const { result, slot } = guest.waitReply(0, (tail - 1) >>> 0);
      if (result === 1) region.copyPageOut(slotPage, slot, seen);
      if (result !== 1 || Buffer.compare(seen, page) !== 0) wrong += 1;
      page[turn % PAGE_BYTES]! ^= 1;
      const credit = guest.takeCredit();
      region.copyPageIn(slotPage, credit, page);
      this.#samples[count++] = this.#ask(Command.PUT_PAGE, index, credit);
    }
    const sorted = this.#samples.subarray(0, count).sort();
    return {
      p50Micros: sorted[count >> 1] ?? 0,
      p99Micros: sorted[Math.floor(count * 0.99)] ?? 0,
      operations: count,
      wrong,
    };
  }
}

let honest: HonestGuest | undefined;

async function obey(setup: GuestSetup, order: GuestOrder): Promise<unknown> {
  if (order.do === 'attack') return attack(order.kind, setup.path, setup.bytes, order.ms);
  honest ??= new HonestGuest(await connectMachine(setup.path, setup.bytes));
  return honest.measure(order.ms);
}

const setup: GuestSetup = { path: process.argv[2]!, bytes: Number(process.argv[3]) };
process.on('message', (order: GuestOrder) => {
  obey(setup, order).then(
    (answer) => process.send?.({ answer }),
    (error: Error) => process.send?.({ error: error.stack }),
  );
});
process.on('disconnect', () => process.exit(0));
