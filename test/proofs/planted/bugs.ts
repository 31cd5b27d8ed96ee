/**
 * The bugs that are planted, one at a time, and the proof that must find each.
 */
import { FUZZ_BUGS } from './bugs-fuzz.js';
import { HOST_BUGS } from './bugs-host.js';
import { MODEL_BUGS } from './bugs-model.js';
import type { PlantedBug } from './plant.js';

export const BUGS: readonly PlantedBug[] = [...HOST_BUGS, ...MODEL_BUGS, ...FUZZ_BUGS];
