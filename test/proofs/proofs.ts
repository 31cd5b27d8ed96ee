/**
 * All proofs, in the order of `npm run prove -- --help`.
 */
import type { Proof } from './proof.js';

export const PROOFS: readonly Proof[] = [];
