import { Connection, type ConnectionOptions } from '@temporalio/client';

/** A lost server is looked for at least this often, ms; gRPC would let two minutes pass after a long outage. */
const RECONNECT_MS = 5_000;

/**
 * Opens, with the first call, the connection for calls that wait for their turn in the process's queue. It
 * repeats no call by itself, as Temporal's connections do up to ten times: so the queue hears of each
 * failure immediately, and what is offered is what the queue allows.
 */
export function pacedConnection(options: ConnectionOptions): Connection {
  return Connection.lazy({
    ...options,
    interceptors: [],
    channelArgs: { ...options.channelArgs, 'grpc.max_reconnect_backoff_ms': RECONNECT_MS },
  });
}
