/**
 * The way to a guest's agent while its kernel boots: it answers, or the error says how far it came.
 */
import type { Machine } from '@qemu-tmem/qmp';
import { GuestAgent } from '../../images/index.js';
import { codeOf } from '../errors.js';
import { bootTimeout, type FailurePlace, vanished } from './failure.js';

export const BOOT_MS_DEFAULT = 60_000;

/**
 * Connects to the agent of a machine that runs.
 * @throws ImagesError (AGENT_CONNECT_FAILED) when it does not answer in time, another error when
 *   the machine goes meanwhile, or the signal's reason
 */
export async function reachAgent(
  machine: Machine,
  agentSocket: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<GuestAgent> {
  const gone = new AbortController();
  machine.wait({ timeoutMs }).then(
    () => gone.abort(),
    () => {},
  );
  const signals = [gone.signal, ...(signal === undefined ? [] : [signal])];
  return await GuestAgent.connect({
    path: agentSocket,
    timeoutMs,
    signal: AbortSignal.any(signals),
  });
}

/**
 * Waits for the agent of the life that a machine is in.
 * @throws TmemError (GUEST_BOOT_TIMEOUT, GUEST_BOOT_FAILED), or the signal's reason
 */
export async function connectAgent(
  machine: Machine,
  where: { readonly agentSocket: string; readonly failures: FailurePlace },
  options: { readonly bootTimeoutMs?: number; readonly signal?: AbortSignal },
): Promise<GuestAgent> {
  const timeoutMs = options.bootTimeoutMs ?? BOOT_MS_DEFAULT;
  try {
    return await reachAgent(machine, where.agentSocket, timeoutMs, options.signal);
  } catch (cause) {
    options.signal?.throwIfAborted();
    const { failures } = where;
    if (codeOf(cause) === 'AGENT_CONNECT_FAILED') {
      throw bootTimeout(machine, failures, timeoutMs, cause);
    }
    throw await vanished(machine, failures, false, cause);
  }
}
