/**
 * Random operations of a fake guest, through queues, credits and slots, against a plain map: each
 * page that comes back has the bytes that went in, through resets of the guest and of the host.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { createLoopback, type Loopback } from '../testing/index.js';

const POOLS = 3;
const object = fc.nat(2);
const index = fc.oneof(fc.nat(5), fc.constantFrom(0x8000_0000, 0xffff_ffff));
const pool = fc.oneof({ weight: 8, arbitrary: fc.nat(POOLS - 1) }, fc.constantFrom(-1, 63));

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), pool, object, index }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('get' as const), pool, object, index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const), pool, object, index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flushObject' as const), pool, object }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('newPool' as const), keep: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroy' as const), pool }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quota' as const), pages: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), host: fc.boolean() }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Pages by object and index, of one pool. */
interface ModelPool {
  readonly keep: boolean;
  readonly pages: Map<string, number>;
}

/** The guest and what it must see. */
class Pair {
  readonly loop: Loopback;
  readonly pools = new Map<number, ModelPool>();
  #lives = 1;
  #fill = 0;

  constructor() {
    this.loop = createLoopback({ queueCount: 4 });
    this.loop.quota.limit = 12;
    this.loop.guest.attach(this.#lives);
  }

  run(step: Operation): void {
    switch (step.kind) {
      case 'put':
        this.#put(step.pool, step.object, step.index);
        break;
      case 'get':
        this.#get(step.pool, step.object, step.index);
        break;
      case 'flush':
        this.#flush(step.pool, step.object, step.index);
        break;
      case 'flushObject':
        this.#flushObject(step.pool, step.object);
        break;
      case 'newPool':
        this.#newPool(step.keep);
        break;
      case 'destroy':
        expect(this.loop.guest.destroyPool(step.pool)).toBe(this.pools.delete(step.pool) ? 1 : 0);
        break;
      case 'quota':
        this.loop.quota.limit = step.pages;
        break;
      case 'reset':
        this.#reset(step.host);
        break;
    }
  }

  #put(id: number, object: number, index: number): void {
    this.#fill += 1;
    const page = new Uint8Array(new Int32Array(PAGE_BYTES / 4).fill(this.#fill).buffer);
    const result = this.loop.guest.put(id, objectId(object), index, page);
    const key = `${object}/${index}`;
    const model = this.pools.get(id);
    if (model === undefined) expect([-19, -12]).toContain(result);
    else if (result === 1) model.pages.set(key, this.#fill);
    else {
      expect(result).toBe(-12);
      model.pages.delete(key);
    }
  }

  #get(id: number, object: number, index: number): void {
    const model = this.pools.get(id);
    const { result, page } = this.loop.guest.get(id, objectId(object), index);
    const key = `${object}/${index}`;
    const fill = model?.pages.get(key);
    if (model === undefined) expect(result).toBe(-19);
    else if (model.keep) expect(result).toBe(fill === undefined ? 0 : 1);
    if (model?.keep === false) model.pages.delete(key);
    if (result !== 1) return;
    const words = new Int32Array(page!.buffer);
    expect(words.every((word) => word === fill)).toBe(true);
  }

  #flush(id: number, object: number, index: number): void {
    const model = this.pools.get(id);
    const result = this.loop.guest.flushPage(id, objectId(object), index);
    expect(result).toBe(model === undefined ? -19 : 1);
    model?.pages.delete(`${object}/${index}`);
  }

  #flushObject(id: number, object: number): void {
    const model = this.pools.get(id);
    expect(this.loop.guest.flushObject(id, objectId(object))).toBe(model === undefined ? -19 : 1);
    for (const key of [...(model?.pages.keys() ?? [])]) {
      if (key.startsWith(`${object}/`)) model?.pages.delete(key);
    }
  }

  #newPool(keep: boolean): void {
    let id = 0;
    while (this.pools.has(id)) id += 1;
    if (id === POOLS) return;
    expect(this.loop.guest.newPool(keep ? PoolFlag.PERSIST : 0)).toBe(id);
    this.pools.set(id, { keep, pages: new Map() });
  }

  #reset(host: boolean): void {
    this.#lives += 1;
    if (host) this.loop.session.restart(0x1000 + this.#lives);
    this.loop.guest.attach(this.#lives);
    this.pools.clear();
  }

  check(): void {
    const { client, quota, session } = this.loop;
    expect(session.isFaulted).toBe(false);
    expect(quota.taken).toBe(client.usedSlots + client.grantedSlots);
    let kept = 0;
    for (const { keep, pages } of this.pools.values()) if (keep) kept += pages.size;
    expect(client.usedSlots).toBeGreaterThanOrEqual(kept);
  }
}

it('answers every get with the bytes put, or a miss where the model allows one', () => {
  const operations = fc.array(operation, { size: 'max', minLength: 20, maxLength: 400 });
  fc.assert(
    fc.property(operations, (steps) => {
      const pair = new Pair();
      pair.run({ kind: 'newPool', keep: true });
      pair.run({ kind: 'newPool', keep: false });
      for (const step of steps) {
        pair.run(step);
        pair.check();
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);
