/**
 * Watches what a host reads and writes in a region, and changes words between two of its reads, as
 * a guest on another CPU would, but at the same place in each run.
 *
 * Time is counted in points: each atomic load or store of the host, in the region or in memory of
 * its own, and, where plain reads are watched too, each word that it reads from the region. What
 * hostile words are written, and after which point, is the caller's to choose. While a Watch lives,
 * `Atomics.load` and `Atomics.store` are its own; one lives at a time in a thread.
 */
import type { SharedRegion } from '../../../emulator/transport/region.js';

/** A word that the guest writes once the host has come to a point. */
export interface Race {
  /** Points from the beginning of the call, from 1. */
  readonly after: number;
  readonly word: number;
  readonly value: number;
}

/** The host dies here: thrown out of a store, which is not done. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

const { load, store } = Atomics;

export class Watch implements Disposable {
  /** What the host is given for the region: its words, its memory and `scrub`. */
  readonly region: SharedRegion;
  /** How often each word of the region was read in this call, where plain reads are watched. */
  readonly reads: Uint16Array;
  /** Those of `reads` that are not 0. */
  readonly read: number[] = [];
  /** Words of the region that the host wrote in this call. */
  readonly written: number[] = [];
  /** Points of this call so far. */
  points = 0;
  readonly #raw: Int32Array;
  readonly #words: Int32Array;
  #races: readonly Race[] = [];
  #storesLeft = -1;
  #active = false;

  /** `plainReads`: watch those as well; some ten times slower. */
  constructor(region: SharedRegion, plainReads: boolean) {
    this.#raw = region.words;
    this.#words = plainReads ? this.#watched() : region.words;
    this.reads = new Uint16Array(plainReads ? region.words.length : 0);
    const { memory } = region;
    const scrub = (): void => region.scrub();
    const giveBackSlots = (firstPage: number): void => region.giveBackSlots(firstPage);
    const watched = { words: this.#words, memory, scrub, giveBackSlots };
    this.region = watched as unknown as SharedRegion;
    this.#install();
  }

  [Symbol.dispose](): void {
    Object.assign(Atomics, { load, store });
  }

  #watched(): Int32Array {
    return new Proxy(this.#raw, {
      get: (target, key) => {
        const word = Number(key as string);
        if (!Number.isInteger(word)) return Reflect.get(target, key, target);
        const seen = target[word];
        if (this.#active) this.#noteRead(word);
        return seen;
      },
      set: (target, key, value) => {
        if (this.#active) this.written.push(Number(key as string));
        return Reflect.set(target, key, value, target);
      },
    });
  }

  #install(): void {
    const raw = this.#raw;
    const hookedLoad = (array: Int32Array, word: number): number => {
      if (array !== this.#words) {
        const seen = load(array, word);
        if (this.#active) this.#point();
        return seen;
      }
      const seen = load(raw, word);
      if (this.#active) this.#noteRead(word);
      return seen;
    };
    const hookedStore = (array: Int32Array, word: number, value: number): number => {
      if (this.#active) this.#beforeStore();
      const isRegion = array === this.#words;
      const stored = store(isRegion ? raw : array, word, value);
      if (this.#active) {
        if (isRegion) this.written.push(word);
        this.#point();
      }
      return stored;
    };
    Object.assign(Atomics, { load: hookedLoad, store: hookedStore });
  }

  #noteRead(word: number): void {
    const { reads } = this;
    if (reads.length > 0) {
      if (reads[word] === 0) this.read.push(word);
      reads[word]! += 1;
    }
    this.#point();
  }

  #point(): void {
    this.points += 1;
    for (const race of this.#races) {
      if (race.after === this.points) store(this.#raw, race.word, race.value | 0);
    }
  }

  #beforeStore(): void {
    if (this.#storesLeft === -1) return;
    if (this.#storesLeft === 0) throw new Crash('the host died here');
    this.#storesLeft -= 1;
  }

  /** Runs the host once, watched. `storesMax`: it dies at the atomic store after so many; -1: no. */
  run<T>(host: () => T, races: readonly Race[] = [], storesMax = -1): T {
    for (const word of this.read) this.reads[word] = 0;
    this.read.length = 0;
    this.written.length = 0;
    this.points = 0;
    this.#races = races;
    this.#storesLeft = storesMax;
    this.#active = true;
    try {
      return host();
    } finally {
      this.#active = false;
    }
  }
}
