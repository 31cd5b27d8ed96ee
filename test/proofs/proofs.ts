/**
 * All proofs, in the order of `npm run prove -- --help`.
 */
import { fuzz } from './fuzz/proof.js';
import { isolation } from './isolation/proof.js';
import { crashPoints } from './kill/crash-points.js';
import { kills } from './kill/proof.js';
import { liar } from './liar/proof.js';
import { ringModel, storeModel } from './model/proof.js';
import { planted } from './planted/proof.js';
import type { Proof } from './proof.js';
import { limits, quota, soak } from './resources/proof.js';
import { simulator } from './simulator/proof.js';

export const PROOFS: readonly Proof[] = [
  kills,
  crashPoints,
  fuzz,
  isolation,
  liar,
  storeModel,
  ringModel,
  simulator,
  planted,
  quota,
  soak,
  limits,
];
