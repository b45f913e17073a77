/** What follows from a failure: sending continues, or ends for a reason. */
export type FailureVerdict = 'goes on' | 'blocked' | 'gone' | 'parked';
