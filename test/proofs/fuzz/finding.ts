/**
 * Something that must hold does not.
 */
export class Finding extends Error {
  override readonly name = 'Finding';
}
