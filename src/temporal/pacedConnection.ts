import { Connection, type ConnectionOptions } from '@temporalio/client';

/**
 * Connecting to a lost server is tried at least this often, ms; gRPC would let two minutes pass after a long
 * outage.
 */
const RECONNECT_MS = 5_000;

/**
 * Opens, with the first call, the connection for calls that wait for their turn in the process's queue. It does
 * not repeat calls by itself, as Temporal's connections do up to ten times: so the queue sees each failure
 * immediately, and Temporal gets only the calls that the queue allows.
 */
export function pacedConnection(options: ConnectionOptions): Connection {
  return Connection.lazy({
    ...options,
    interceptors: [],
    channelArgs: { ...options.channelArgs, 'grpc.max_reconnect_backoff_ms': RECONNECT_MS },
  });
}
