/**
 * The bugs that are planted, one at a time, and the proof that must find each.
 */
import type { PlantedBug } from './plant.js';

export const BUGS: readonly PlantedBug[] = [];
