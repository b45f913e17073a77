/** Why the body of a request can't be made of an entry: a sentence without its full stop and without data of the entry. */
export class BodyFault extends Error {
  override name = 'BodyFault';
}
