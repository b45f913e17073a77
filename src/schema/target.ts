import { z } from 'zod';

import { ClientCertificate, ClientCertificateInput } from './clientCertificate.ts';
import {
  Health,
  credentialsWith,
  secretHeader,
  masked,
  headerName,
  headerValue,
  Uuid,
  Timestamp,
  text,
  Metadata,
  httpUrl,
} from './fields.ts';
import { SECRET_HEADER_RULE } from './secretHeader.ts';

export const Credentials = credentialsWith(secretHeader).meta({ id: 'Credentials' });
export type Credentials = z.infer<typeof Credentials>;

export const MaskedCredentials = z
  .discriminatedUnion('type', [
    ...credentialsWith(z.union([secretHeader, masked])).options,
    z.strictObject({ type: z.literal('unreadable') }),
  ])
  .meta({
    id: 'MaskedCredentials',
    description:
      'Secrets are shown as ••••last4; sent back in this form, they stay as they are stored. The type ' +
      '`unreadable` stands for credentials that no configured encryption key opens; see the health of the target',
  });
export type MaskedCredentials = z.infer<typeof MaskedCredentials>;

/** `value` is the schema of a header's value. */
const headersWith = <T extends z.ZodType<string>>(value: T) =>
  z
    .preprocess(refuseProto, z.record(headerName, value))
    .refine((map) => Object.keys(map).length <= 50, 'must not have more than 50 headers')
    .meta({ description: `Sent with each webhook. ${SECRET_HEADER_RULE}` });

/** `z.record` would silently leave out this name. */
function refuseProto(value: unknown, c: z.RefinementCtx): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) {
    c.addIssue({
      code: 'custom',
      path: ['__proto__'],
      message: 'must not be the name of a header',
    });
  }
  return value;
}

export const HeaderMap = headersWith(headerValue);

const targetFields = {
  name: text(255),
  base_url: httpUrl.meta({ example: 'https://example.com/hooks' }),
  credentials: Credentials,
  headers: HeaderMap,
  ca: z.string().min(1).max(65536).nullable().meta({
    description:
      'PEM certificates to trust instead of the public certificate authorities; null to trust the public ones',
  }),
  client_certificate: ClientCertificateInput.nullable().meta({
    description:
      'The certificate that is shown to an endpoint that asks for one (mTLS), null for none: `certificate` is PEM, followed by its intermediate certificates, and `key` is its private key as PEM, not encrypted, which is never shown. It is not used for requests to a `token_url`',
    example: null,
  }),
  timeout_ms: z
    .int()
    .min(500)
    .max(15000)
    .meta({ description: 'The longest time until the status line, in milliseconds' }),
  max_in_flight: z
    .int()
    .min(1)
    .max(1000)
    .meta({ description: 'The maximum number of open requests per consumer' }),
  rate_limit: z.int().min(1).max(100000).nullable().meta({
    description: 'The maximum number of requests per second per consumer; null for no limit',
  }),
  metadata: Metadata,
};

const QUAD = '[A-Za-z0-9+/]{4}';
const LAST = '[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]=|==)';
/** A secret of Standard Webhooks: 24 to 64 bytes. */
const newSecret = z
  .string()
  .regex(
    new RegExp(
      `^whsec_(?:(?:${QUAD}){8}|(?:${QUAD}){8,20}(?:${QUAD}|${LAST})|(?:${QUAD}){21}[A-Za-z0-9+/]{2}==)$`,
      'u',
    ),
    'must be whsec_ followed by 24–64 bytes in base64',
  )
  .meta({
    description:
      'The secret that signs webhooks: whsec_ followed by 24–64 bytes in base64. By default a new one is created, ' +
      'and the answer shows it',
    writeOnly: true, // no example has one, which people would copy
  });

export const TargetInput = z
  .strictObject({
    ...targetFields,
    kind: z.literal('webhook').default('webhook'),
    credentials: targetFields.credentials.default({ type: 'none' }),
    headers: targetFields.headers.default({}),
    ca: targetFields.ca.default(null),
    client_certificate: targetFields.client_certificate.default(null),
    timeout_ms: targetFields.timeout_ms.default(15000),
    max_in_flight: targetFields.max_in_flight.default(64),
    rate_limit: targetFields.rate_limit.default(null),
    metadata: targetFields.metadata.default({}).meta({ default: {} }),
    signing_secret: newSecret.optional(),
  })
  .meta({ id: 'TargetInput' });
export type TargetInput = z.infer<typeof TargetInput>;

const maskedFields = {
  ...targetFields,
  credentials: MaskedCredentials,
  headers: headersWith(z.union([headerValue, masked])),
  signing_secret: z
    .string()
    .meta({ description: 'Masked, except in the answers to its creation and rotation' }),
};

export const TargetPatch = z.strictObject(maskedFields).partial().meta({ id: 'TargetPatch' });
export type TargetPatch = z.infer<typeof TargetPatch>;

export const SecretRotation = z
  .strictObject({
    expires_in: z.int().min(0).max(2592000).default(86400).meta({
      description: 'How many seconds the current secret signs as well; with 0 it ends immediately',
    }),
  })
  .meta({ id: 'SecretRotation' });
export type SecretRotation = z.infer<typeof SecretRotation>;

/** The two forms of an internationalised host, which reveal a host that only looks like another one. */
const idnForms = {
  ascii: z.string().meta({ example: 'xn--mnchen-3ya.example' }),
  unicode: z.string().meta({ example: 'münchen.example' }),
};
export const IdnForms = z.object(idnForms).meta({ id: 'IdnForms' });

export const IdnHost = z.object({ pointer: z.string(), ...idnForms }).meta({ id: 'IdnHost' });
export type IdnHost = z.infer<typeof IdnHost>;

export const UnreadableSecret = z
  .enum([
    'credentials',
    'headers',
    'signing_secret',
    'previous_signing_secret',
    'client_certificate',
  ])
  .meta({ id: 'UnreadableSecret' });
export type UnreadableSecret = z.infer<typeof UnreadableSecret>;

export const Target = z
  .object({
    id: Uuid,
    kind: z.literal('webhook'),
    ...maskedFields,
    client_certificate: ClientCertificate.nullable().meta({
      description:
        'What is shown of its client certificate; null when it has none. `valid_until` is the earliest end in its chain, `fingerprint` the SHA-256 of the certificate itself',
    }),
    idn_hosts: z.array(IdnHost).meta({
      description:
        'The internationalised hosts in the URLs of the target, in both forms; the ASCII form reveals a host that only looks like another one',
    }),
    unreadable: z.array(UnreadableSecret).meta({
      example: [],
      description:
        "Which of its secrets can't be read, as a rule because no configured encryption key opens them; its health says " +
        'what to do. They are kept until others are saved. `headers` means those that carry credentials, which are not listed then',
    }),
    health: Health,
    tried: z.boolean().meta({
      description:
        'False as long as its consumers have sent nothing to it. Test webhooks do not count, and a target that is older than the counts that are kept has been tried',
    }),
    consumers: z
      .object({
        active: z.int(),
        paused: z.int(),
        blocked: z.int(),
        stopped: z.int(),
        cannot_start: z.object({ active: z.int(), blocked: z.int() }),
      })
      .meta({
        description:
          'How many consumers it has, by their status; `cannot_start`: how many of the active and of the blocked ' +
          "ones can't send because of a lasting fault that is not the endpoint's",
      }),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Target' });
export type Target = z.infer<typeof Target>;
