import { z } from 'zod';

const ms = (what: string) =>
  z
    .number()
    .nullable()
    .meta({ description: `${what}; milliseconds` });

/** Headers as they were sent or came, in that order; a name may stand twice. */
const Headers = z.array(z.object({ name: z.string(), value: z.string() }));

/**
 * How the time of an attempt was spent. A step that did not happen is null. The steps up to `body` follow
 * each other; together they are the `duration_ms` of the attempt, but for what is lost by rounding.
 */
export const AttemptTimings = z
  .object({
    lane: ms('Waiting until the entries before it in its order were delivered; null for a retry'),
    pace: ms(
      'Waiting for the limits of the target and of the worker, or for a batch to be filled; null for a retry',
    ),
    prepare: ms(
      'Fetching an access token, and a first request that was repeated immediately because its connection was lost or its token was refused',
    ),
    connection: ms('Waiting for a free connection'),
    dns: ms('Looking up the host name'),
    connect: ms('Opening the TCP connection; with an egress proxy, the connection through it'),
    tls: ms('The TLS handshake'),
    request: ms('Writing the request'),
    first_byte: ms('Waiting for the status line'),
    body: ms('Reading the response'),
  })
  .meta({ id: 'AttemptTimings' });
export type AttemptTimings = z.infer<typeof AttemptTimings>;

/** What was sent in one attempt, what came back, and how long each step took. */
export const AttemptTrace = z
  .object({
    url: z.string().meta({ description: 'Without the values of its query' }),
    request_headers: Headers.meta({
      description: 'Each up to 2 KB; the values of credentials are masked',
    }),
    request_bytes: z.int().meta({ description: 'The size of the body that was sent' }),
    response_headers: Headers.meta({
      description: 'At most 100, and the first 8 KB; empty without a response',
    }),
    response_bytes: z.int().meta({
      description: 'How much of the body was read; reading stops after 64 KB',
    }),
    timings: AttemptTimings,
  })
  .meta({ id: 'AttemptTrace' });
export type AttemptTrace = z.infer<typeof AttemptTrace>;
