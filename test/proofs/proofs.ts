/**
 * All proofs, in the order of `npm run prove -- --help`.
 */
import { fuzz } from './fuzz/proof.js';
import type { Proof } from './proof.js';

export const PROOFS: readonly Proof[] = [fuzz];
