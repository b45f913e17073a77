import { z } from 'zod';

import { toCommonForm } from './rfc3339.ts';
import { isSentAsWritten } from './sentPath.ts';

/** A string without characters that Postgres text can't store: NUL and halves of surrogate pairs. */
export const text = (max: number, min = 1) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((value) => !value.includes('\u0000'), 'must not contain U+0000')
    .refine((value) => value.isWellFormed(), 'must not contain a lone surrogate');

export const SyncId = text(255).meta({
  description: 'Any string of 1–255 characters, usually a UUID',
  example: '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11',
});

/** The name of a sync, for people. */
export const SyncName = text(255).meta({ example: 'Production' });

/** `provider:name`; the provider is everything before the first colon. */
export const CollectionId = text(511)
  .regex(/^[^:]{1,255}:[\s\S]{1,255}$/u, 'must be provider:name, for example stripe:customer')
  .meta({ description: 'provider:name', example: 'stripe:customer' });

export const UpstreamId = text(1024).meta({
  description: "The record's id at its source",
  example: 'cus_1',
});

const DATE_TIME = z.regexes.datetime({ offset: true });

export const Timestamp = z
  .string()
  .overwrite(toCommonForm)
  .refine(
    (value) => DATE_TIME.test(value),
    'must be an RFC 3339 time, such as 2026-11-23T10:00:00Z',
  )
  .refine(isFourDigitYear, 'must be in the years 0001 to 9999, UTC')
  .meta({ format: 'date-time', description: 'RFC 3339', example: '2026-11-23T10:00:00.000Z' });

function isFourDigitYear(value: string): boolean {
  const at = Date.parse(value);
  return at >= Date.parse('0001-01-01T00:00:00Z') && at < Date.parse('9999-12-31T23:59:59Z');
}

export const Uuid = z.uuid().meta({ example: '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11' });

export const Position = z
  .int()
  .nonnegative()
  .meta({ description: 'The place in the stream, ascending', example: 1042 });

/** Not `z.record`, which leaves out a key `__proto__`. */
export const Metadata = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be a JSON object',
  )
  .refine(isStorable, 'must not contain U+0000 or a lone surrogate')
  .meta({
    type: 'object',
    additionalProperties: {},
    description: 'Any JSON object of yours, returned as it was sent',
    example: { team: 'billing' },
  });

/** The jsonb type of Postgres refuses escapes of NUL and of halves of surrogate pairs. */
function isStorable(value: object): boolean {
  return !/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/u.test(JSON.stringify(value));
}

/** Any JSON value. Its text is kept; numbers are never rounded. */
export const Data = z.unknown().meta({
  description: 'Any JSON value, at most 1 MiB',
  example: { id: 'cus_1', email: 'ada@example.com' },
});

export const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/u, 'must be an HTTP header name');

/** Printable ASCII and tabs, so that nothing can end the header line. */
export const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\t\x20-\x7e]*$/u, 'must be printable ASCII without line breaks');

export const httpUrl = z
  .url({ protocol: /^https?$/u, error: 'must be an http or https URL' })
  .max(2048)
  .refine((value) => {
    const url = URL.parse(value);
    return url === null || (url.username === '' && url.password === '' && url.hash === '');
  }, 'must not contain credentials or a fragment')
  .refine((value) => URL.parse(value)?.port !== '0', 'must not have port 0');

/** A list of values, or `["*"]` for everything. */
export const filterList = <T extends z.ZodType<string>>(value: T) =>
  z
    .array(z.union([z.literal('*'), value]))
    .max(10_000)
    .refine(
      (list) => list.length < 2 || !list.includes('*'),
      'must contain only "*" when it contains "*"',
    )
    .transform((list) => [...new Set<string>(list)]);

export const path = z
  .string()
  .max(2048)
  .regex(/^(\/[\x21-\x7e]*)?$/u, 'must be empty or begin with / and be a URL path')
  .refine((value) => !value.includes('#'), 'must not contain a fragment')
  .refine(isSentAsWritten, 'must not begin with //, nor contain \\ or the segments . and ..');

const secretText = z.string().min(1).max(4096);
export const secretHeader = headerValue.min(1);
/** The masked form of a stored secret; sent back like this, it stays as it is stored. */
export const masked = z.string().regex(/^••••.{0,4}$/u);

/** RFC 6749 §3.3 */
const scope = z
  .string()
  .max(1024)
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/u,
    'must be words separated by single spaces',
  )
  .optional();

/** The kinds of credentials; `headerSecret` is the schema of secrets that are sent in a header. */
export const credentialsWith = <T extends z.ZodType<string>>(headerSecret: T) =>
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('none') }),
    z.strictObject({
      type: z.literal('basic'),
      username: z
        .string()
        .max(1024)
        .regex(/^[^:]*$/u, 'must not contain ":" (RFC 7617)'),
      password: secretText,
    }),
    z.strictObject({ type: z.literal('bearer'), token: headerSecret }),
    z.strictObject({ type: z.literal('header'), name: headerName, value: headerSecret }),
    z.strictObject({
      type: z.literal('oauth2'),
      token_url: httpUrl,
      client_id: z.string().min(1).max(1024),
      client_secret: secretText,
      scope,
    }),
  ]);

export const Health = z
  .object({ status: z.enum(['ok', 'warn', 'error']), notes: z.array(z.string()), time: Timestamp })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof Health>;
