/**
 * What a guest's swap did and what its kernel said meanwhile: the verdict on a command whose own exit
 * code knows nothing of either.
 */
import { codeOf } from '../errors.js';
import type { StoreStats } from '../session/messages.js';
import { COUNTERS_COMMAND, type GuestCounters, readCounters } from './counters.js';
import type { Guest } from './guest.js';
import { type KernelLogOptions, type KernelTrouble, kernelTrouble } from './kernel-log.js';
import { type SwapShare, swapShare } from './swap-share.js';
import { outOfTime } from './watched.js';

const QUESTION_MS_MAX = 60_000;

/** Since the guest booted. */
export interface SwapVerdict {
  /** Pages that the store took, and gave back; both 0 without one. */
  readonly puts: number;
  readonly gets: number;
  readonly share: SwapShare;
  readonly counters: GuestCounters;
  /** Null where swap is a disk or zram. */
  readonly host: StoreStats | null;
  readonly trouble: readonly KernelTrouble[];
}

async function ask(guest: Guest, command: string): Promise<string> {
  try {
    return (await guest.agent.exec(command, { timeoutMs: QUESTION_MS_MAX })).stdout;
  } catch (error) {
    if (codeOf(error) === 'AGENT_GONE') throw await guest.gone(error);
    if (codeOf(error) !== 'AGENT_TIMEOUT') throw error;
    throw await outOfTime(guest, `the guest did not tell ${command.split('\n')[0]} in time`);
  }
}

/** What the guest's kernel log tells of trouble; its beginning counts as lost when it is not there. */
export async function guestTrouble(
  guest: Guest,
  options: Pick<KernelLogOptions, 'allow'> = {},
): Promise<KernelTrouble[]> {
  return kernelTrouble(await ask(guest, 'dmesg -r'), { ...options, whole: true });
}

/** Asks guest and store. Throws what `Guest.exec` throws. */
export async function swapVerdict(
  guest: Guest,
  options: Pick<KernelLogOptions, 'allow'> = {},
): Promise<SwapVerdict> {
  const counters = readCounters(await ask(guest, COUNTERS_COMMAND));
  const host = (await guest.store?.stats()) ?? null;
  return {
    puts: host === null ? 0 : host.puts - host.putsRefused,
    gets: host === null ? 0 : host.gets - host.getsMissed,
    share: swapShare(counters),
    counters,
    host,
    trouble: await guestTrouble(guest, options),
  };
}
