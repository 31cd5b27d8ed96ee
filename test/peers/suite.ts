/**
 * A suite of other people's programs as vitest sees it: each guest is booted once, each case is a
 * test in it, and the figures are printed when all are through.
 */
import { bootGuest, type Guest, type GuestOptions } from 'qemu-tmem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeerGuest } from './guests.js';
import { PEER_MS_MAX, type PeerCase, runPeer } from './peer.js';

export interface Suite {
  readonly name: string;
  readonly guests: readonly PeerGuest[];
  /** What its programs need of a guest: `with`, `dataMib`. */
  readonly options: GuestOptions;
  /** Makes ready what `options` names. */
  readonly prepare?: () => Promise<void>;
  /** Lines for /bin/sh, once after the boot. */
  readonly setUp?: string;
  readonly cases: readonly PeerCase[];
}

/** Declares the tests of a suite. */
export function describeSuite(suite: Suite): void {
  describe.each(suite.guests)(`${suite.name}, $title`, ({ title, options, hugePages }) => {
    let guest: Guest;
    const figures: string[] = [];

    beforeAll(async () => {
      await suite.prepare?.();
      guest = await bootGuest({ ...options, ...suite.options });
      const thp = '/sys/kernel/mm/transparent_hugepage/enabled';
      expect((await guest.sh(`cat ${thp}`)).includes('[always]')).toBe(hugePages);
      if (suite.setUp !== undefined) await guest.sh(suite.setUp);
    });

    afterAll(async () => {
      await guest?.[Symbol.asyncDispose]();
      console.log([`${suite.name}, ${title}`, ...figures].join('\n  '));
    });

    it.each(suite.cases)('$name', { timeout: 2 * PEER_MS_MAX }, async (peer) => {
      const result = await runPeer(guest, peer);
      figures.push(result.figures);
      // At once: the other cases may take long.
      if (result.problems.length > 0) console.log([peer.name, ...result.problems].join('\n'));
      expect(result.problems).toEqual([]);
    });
  });
}
