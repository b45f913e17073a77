/** An error of the database that is followed, not of ours. */
export class OfDatabase extends Error {
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super('The database of a source could not be used', { cause });
    this.cause = cause;
  }
}

/** Runs work in the database that is followed, so that its errors are known as such. */
export async function ofDatabase<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof OfDatabase ? error : new OfDatabase(error);
  }
}
