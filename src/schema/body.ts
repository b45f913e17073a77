import { z } from 'zod';

import { text } from './fields.ts';

/** The longest expression of a `map`, in characters; the compiler counts bytes, and has the same limit. */
const LONGEST_EXPRESSION = 4_096;
/** The largest number of pointers. */
const MOST_POINTERS = 100;

const MODES = 'full, thin, fields, cloudevents or map';

/** Nothing else of an entry can be left out. */
const JsonPointer = text(1_024).regex(
  /^\/(?:data|changes)(?:\/(?:[^~/]|~[01])*)*$/u,
  'must be a JSON pointer into data or changes, such as /data/email (RFC 6901)',
);

/** What the requests of a consumer carry of an entry. */
export const ConsumerBody = z
  .discriminatedUnion(
    'mode',
    [
      z.strictObject({ mode: z.literal('full') }),
      z.strictObject({ mode: z.literal('thin') }),
      z.strictObject({
        mode: z.literal('fields'),
        pointers: z.array(JsonPointer).min(1).max(MOST_POINTERS).meta({
          description: 'What is kept of `data` and `changes`: JSON pointers, relative to the entry',
        }),
      }),
      z.strictObject({ mode: z.literal('cloudevents') }),
      z.strictObject({
        mode: z.literal('map'),
        expression: text(LONGEST_EXPRESSION).meta({
          description: 'A CEL expression, the result of which is the JSON that is sent',
        }),
      }),
    ],
    {
      error: ({ code }) => {
        if (code === 'invalid_union') return `must be ${MODES}`;
        if (code !== 'invalid_type') return undefined;
        return `must be an object whose mode is ${MODES}, such as {"mode": "thin"}`;
      },
    },
  )
  .meta({
    id: 'ConsumerBody',
    description:
      'What a request carries. `full`: the whole entry. `thin`: its keys, times and position, without `data` and `changes`. ' +
      '`fields`: as `thin`, with the parts that the pointers name. `cloudevents`: a CloudEvent in structured mode. ' +
      '`map`: the result of an expression',
    example: { mode: 'full' },
  });
export type ConsumerBody = z.infer<typeof ConsumerBody>;

/** The body that is sent unless another one is chosen. */
export const FULL_BODY: ConsumerBody = { mode: 'full' };
