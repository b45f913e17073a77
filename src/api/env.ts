/** What the middlewares leave for the handlers. */
export interface AppEnv {
  Variables: {
    /** Answered as x-request-id and in each problem. */
    requestId: string;
    /** The API key's name, recorded with each change. */
    actor: string;
  };
}
