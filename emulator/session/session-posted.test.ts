/**
 * Operations that the guest posts without waiting: each queue is answered in order, so that what
 * was posted last for a key holds, and every reply is at its descriptor's place.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Command, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { createLoopback, type GuestReply, type Loopback } from '../testing/index.js';

const QUEUES = 4;
const ENTRIES = 16;
const OID = objectId(0x51);
const NO_SLOT = 0xffff_ffff;

const operation = fc.record({
  command: fc.constantFrom(Command.PUT_PAGE, Command.GET_PAGE, Command.FLUSH_PAGE),
  index: fc.nat(7),
});

interface Posted {
  readonly queue: number;
  readonly sequence: number;
  readonly expected: GuestReply;
}

/** Posts one operation and says what its reply must be, given the slots of the pages so far. */
function post(
  loop: Loopback,
  slots: Map<number, number>,
  { command, index }: { command: number; index: number },
): Posted {
  const { guest } = loop;
  const queue = guest.queueOf(0, OID, index);
  const slot = command === Command.PUT_PAGE ? guest.takeCredit() : 0;
  const held = slots.get(index);
  if (command === Command.PUT_PAGE) slots.set(index, slot);
  if (command === Command.FLUSH_PAGE) slots.delete(index);
  const isGet = command === Command.GET_PAGE;
  const expected = {
    result: isGet && held === undefined ? 0 : 1,
    slot: isGet ? (held ?? NO_SLOT) : NO_SLOT,
  };
  return { queue, sequence: guest.post(queue, { command, oid: OID, index, slot }), expected };
}

describe('posted operations', () => {
  it('are answered as if each had waited for the one before', () => {
    const batches = fc.array(fc.array(operation, { minLength: 1, maxLength: ENTRIES }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(batches, (rounds) => {
        const loop = createLoopback({ queueCount: QUEUES, queueEntries: ENTRIES });
        loop.guest.attach();
        loop.guest.newPool(PoolFlag.PERSIST);
        const slots = new Map<number, number>();
        for (const round of rounds) {
          const posted = round.map((step) => post(loop, slots, step));
          expect(loop.session.serve()).toBe(round.length);
          const replies = posted.map(({ queue, sequence }) =>
            loop.guest.waitReply(queue, sequence),
          );
          expect(replies).toEqual(posted.map(({ expected }) => expected));
          expect(loop.client.usedSlots).toBe(slots.size);
        }
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('puts against every credit there is succeed, unanswered', () => {
    const loop = createLoopback({ queueCount: 1, queueEntries: ENTRIES });
    const { guest, client } = loop;
    guest.attach();
    guest.newPool(PoolFlag.PERSIST);
    let index = 0;
    for (let slot = guest.takeCredit(); slot !== -1; slot = guest.takeCredit()) {
      guest.post(0, { command: Command.PUT_PAGE, oid: OID, index, slot });
      index += 1;
    }
    loop.session.serve();
    expect(client.usedSlots).toBe(client.slots.count);
    expect(index).toBe(client.slots.count);
    expect(loop.session.counters.putsRefused).toBe(0);
  });
});
