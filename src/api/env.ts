import type { Caller } from '../access/caller.ts';
import type { Permit } from '../access/permits.ts';
import type { Seed } from '../db/seed.ts';

/** The variables that the middlewares set for the handlers. */
export interface AppEnv {
  Variables: {
    /** Sent as `x-request-id` and in each problem. */
    requestId: string;
    /** The API key's name, recorded with each change. */
    actor: string;
    /** The caller that passed the gate. */
    caller: Caller;
    /** Set for each change except ingest; a repetition gets the same one. */
    seed: Seed;
    /**
     * Opens a permit for an answer that takes long, so that the answer ends when its caller loses the right to
     * it.
     */
    permit: () => Permit;
    /** Set when the caller was authenticated by a session cookie. */
    sessionEndsAt: string | undefined;
  };
}
