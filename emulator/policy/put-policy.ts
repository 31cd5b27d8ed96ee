/**
 * Decides whether a put is taken. A policy sees keys and counts, never the page's bytes.
 *
 * A refusal is always allowed: the page then goes to the guest's swap device. A policy that may
 * refuse rules out posted puts, whose promise is that a credit is as good as the page.
 */
import { TmemError } from '../errors.js';

/** What a policy is told of a put. */
export interface PutRequest {
  readonly pool: number;
  readonly index: number;
  /** The page is there already: a refusal also drops the old copy. */
  readonly duplicate: boolean;
}

export interface PutPolicy {
  readonly name: string;
  /** True when no put is ever refused. */
  readonly acceptsAll: boolean;
  admits(request: PutRequest): boolean;
}

/** Takes every put that there is room for. */
export const acceptAll: PutPolicy = { name: 'accept', acceptsAll: true, admits: () => true };

/**
 * Refuses the nth, 2nth, ... put: `n` from 1 (every put) up.
 * @throws TmemError (OPTION_INVALID)
 */
export function refuseEveryNth(n: number): PutPolicy {
  if (!Number.isSafeInteger(n) || n < 1) {
    throw new TmemError('OPTION_INVALID', `refuse every ${n}th put: n is a whole number from 1 up`);
  }
  let count = 0;
  return {
    name: `refuse-every=${n}`,
    acceptsAll: false,
    admits: () => {
      count += 1;
      return count % n !== 0;
    },
  };
}

/**
 * Refuses every duplicate put, so that each shows the seed's second outcome: failed, old page
 * gone.
 */
export const refuseDuplicates: PutPolicy = {
  name: 'refuse-duplicates',
  acceptsAll: false,
  admits: (request) => !request.duplicate,
};

/** A policy as it is written on a command line and passed between threads. */
export type PolicySpec = string;

/** `code` POLICY_UNKNOWN: the text names no policy. */
export class PolicyError extends Error {
  readonly code = 'POLICY_UNKNOWN';
  override readonly name = 'PolicyError';
}

/**
 * Reads `accept`, `refuse-every=N` or `refuse-duplicates`.
 * @throws PolicyError (POLICY_UNKNOWN)
 */
export function parsePolicy(text: PolicySpec): PutPolicy {
  if (text === acceptAll.name) return acceptAll;
  if (text === refuseDuplicates.name) return refuseDuplicates;
  const every = /^refuse-every=([1-9]\d{0,8})$/.exec(text);
  if (every !== null) return refuseEveryNth(Number(every[1]));
  throw new PolicyError(
    `no policy is called "${text}"; use accept, refuse-every=N (N from 1) or refuse-duplicates`,
  );
}
