/**
 * Entries that have failed with one request. They go out again with one another only, so that it becomes known which of
 * them is at fault, or that the same batch arrives again.
 */
export interface Cohort<S> {
  /** The largest number of them that one request may carry. */
  readonly most: number;
  /** When the request started with which they failed, monotonic ms. */
  readonly startedAt: number;
  /** Those that may go now, by position. */
  readonly ready: S[];
}

/** The cohorts of a drain. A slot that has never failed with others is in none. */
export interface Cohorts<S> {
  of(slot: S): Cohort<S> | undefined;
  /** Makes a cohort of these slots, which leave those in which they were; none of them may be in a queue. */
  form(slots: readonly S[], most: number, startedAt: number): void;
}

/** Creates it without a cohort. */
export function createCohorts<S extends object>(): Cohorts<S> {
  const cohorts = new WeakMap<S, Cohort<S>>(); // a slot leaves by being forgotten
  return {
    of: (slot) => cohorts.get(slot),
    form: (slots, most, startedAt) => {
      const cohort = { most, startedAt, ready: [] };
      for (const slot of slots) cohorts.set(slot, cohort);
    },
  };
}
