/**
 * Which of the names that there are somebody may have meant.
 */
import { closest, distance } from 'fastest-levenshtein';

/** Slips that are still a slip, as a part of the word's length. */
const SLIPS_MAX = 0.4;

/** `; did you mean X?`, or nothing when no name is near. */
export function didYouMean(word: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const near = closest(word, [...names]);
  return distance(word, near) <= near.length * SLIPS_MAX ? `; did you mean ${near}?` : '';
}
