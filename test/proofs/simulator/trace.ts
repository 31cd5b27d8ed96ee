/**
 * What happened in a simulation, in order: the last events in full, all of them in a hash. Two runs
 * that have the same hash have done the same.
 */

/** Each kind of event; a % stands for one of its numbers. */
const TEXTS = {
  seed: 'seed %',
  boot: 'guest life % boots',
  attached: 'guest life % is attached, features %',
  reset: 'the guest is reset',
  unplugged: 'the machine is gone',
  leaves: 'guest life % leaves',
  put: 'put of key %, value %',
  putEnd: 'put of key % ends: %',
  get: 'get of key %',
  getEnd: 'get of key % ends: %',
  flush: 'flush of key %',
  flushEnd: 'flush of key % ends',
  given: 'operation on key % is given up',
  fill: 'slot % is filled with %',
  copy: 'slot % is read: %',
  post: 'queue %: descriptor %, command %',
  postSlot: '         its slot is %',
  reply: 'queue %: answer to % is %',
  full: 'queue % is full',
  pending: 'a flush is left to the worker, key %',
  credit: 'slot % is taken as a credit',
  ring: 'the guest rings for sleep %',
  bell: 'the doorbell is heard',
  damaged: 'of % bytes not all arrive as they were',
  interrupt: 'interrupt %',
  ringLost: 'a doorbell is lost, to the guest: %',
  areaOn: 'area % goes on: pool %',
  areaOff: 'area % goes off: pool %',
  poolOpen: 'pool % is opened',
  poolClosed: 'pool % is closed',
  void: 'the pool % is void',
  stall: 'stands still until %',
  served: 'the store has served %',
  sleeps: 'the store sleeps',
  wakes: 'the store wakes',
  dies: 'the store dies, words undone: %',
  down: 'the death is noticed',
  takeOver: 'another store begins',
  ready: 'it serves',
  quota: 'the quota is % pages',
  refuse: 'refuse is %',
  restart: 'host life % begins',
  settle: 'faults off: all must come to rest',
  settled: 'all is at rest',
} as const;

export type EventKind = keyof typeof TEXTS;

const KINDS = Object.keys(TEXTS) as EventKind[];
const NUMBERS = Object.fromEntries(KINDS.map((kind, at) => [kind, at])) as Record<
  EventKind,
  number
>;

/** Events kept in full, where not all are. */
const KEPT = 32;
const FIELDS = 6;

export class Trace {
  readonly #all: boolean;
  #events = new Float64Array(KEPT * FIELDS);
  #actors: string[] = [];
  #count = 0;
  #low = 0x811c_9dc5;
  #high = 0x9e37_79b9;

  /** `all`: keep every event, not only the last ones. */
  constructor(all = false) {
    this.#all = all;
  }

  /** Makes the hash depend on `value`. */
  mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x0100_0193);
    this.#high = Math.imul(this.#high ^ (this.#low >>> 15) ^ value, 0x85eb_ca6b);
  }

  note(at: number, actor: string, kind: EventKind, a = 0, b = 0, c = 0): void {
    const number = NUMBERS[kind];
    this.mix(number);
    this.mix(at);
    this.mix(a);
    this.mix(b);
    this.mix(c);
    if (this.#all && this.#count * FIELDS === this.#events.length) this.#grow();
    const place = this.#all ? this.#count : this.#count % KEPT;
    this.#count += 1;
    this.#events.set([number, at, a, b, c], place * FIELDS);
    this.#actors[place] = actor;
  }

  #grow(): void {
    const events = new Float64Array(this.#events.length * 2);
    events.set(this.#events);
    this.#events = events;
  }

  get hash(): string {
    return [this.#high, this.#low]
      .map((half) => (half >>> 0).toString(16).padStart(8, '0'))
      .join('');
  }

  /** The events kept, oldest first, a line each: time in milliseconds, who, what. */
  lines(): string[] {
    const kept = this.#all ? this.#count : Math.min(this.#count, KEPT);
    return Array.from({ length: kept }, (_, back) => {
      const at = this.#count - kept + back;
      return this.#line(this.#all ? at : at % KEPT);
    });
  }

  #line(place: number): string {
    const [number, at, ...values] = this.#events.subarray(place * FIELDS, (place + 1) * FIELDS);
    let next = 0;
    const text = TEXTS[KINDS[number!]!].replaceAll('%', () => {
      next += 1;
      return String(values[next - 1]);
    });
    return `${(at! / 1000).toFixed(3).padStart(12)} ${this.#actors[place]!.padEnd(8)} ${text}`;
  }
}

/** A promise is broken: what is wrong, in a line. */
export class Problem extends Error {
  override readonly name = 'Problem';
}
