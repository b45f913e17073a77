import type { Caller } from '../access/caller.ts';
import type { Seed } from '../db/seed.ts';

/** What the middlewares leave for the handlers. */
export interface AppEnv {
  Variables: {
    /** Answered as x-request-id and in each problem. */
    requestId: string;
    /** The API key's name, recorded with each change. */
    actor: string;
    /** Whoever passed the gate. */
    caller: Caller;
    /** Of each POST but ingest: the same when it is repeated. */
    making: Seed;
    /** Set where the caller came by a session's cookie. */
    sessionEndsAt: string | undefined;
  };
}
