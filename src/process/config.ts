import { isIP } from 'node:net';
import { resolve } from 'node:path';

import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';

import type { VaultKey } from '../db/vault.ts';
import { channelArgsFor, type ChannelArgs } from './proxies.ts';
import { isOrigin, missingPublicUrl } from './publicUrl.ts';

/** A variable has an unusable value. The message is one sentence that names it and the allowed values. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** `server` and `worker` are the production processes; `dev` starts the servers that are not configured. */
export type Role = 'server' | 'worker' | 'dev';

/** All settings of the environment, read once. Durations are in milliseconds; null means not given. */
export interface Config {
  readonly port: number;
  readonly host: string;
  /** The origin at which people reach the console and the API; null where `localUrl` is used. */
  readonly publicUrl: string | null;
  /** An absolute path. */
  readonly dataDir: string;
  readonly databaseUrl: string | null;
  readonly temporalAddress: string | null;
  readonly temporalNamespace: string;
  /** For `Connection.connect` and `NativeConnection.connect`; holds the address, TLS and API key. */
  readonly temporalConnection: ClientConnectConfig['connectionOptions'] & ChannelArgs;
  readonly temporalUiUrl: string | null;
  readonly apiKey: string | null;
  /** Requests a second for each key, 0 for no limit. */
  readonly apiRateLimit: number | null;
  /** Whether a proxy in front of the API sets `X-Forwarded-Proto`. */
  readonly trustProxy: boolean;
  /** Encryption keys: the first one seals, all of them unseal. */
  readonly encryptionKeys: readonly VaultKey[];
  readonly region: string;
  /** How many lanes of visits the region has; 0: each consumer that wakes gets a drain of its own. */
  readonly visitLanes: number;
  readonly retryWindowMs: number;
  readonly idleAfterMs: number;
  readonly allowCidrs: readonly string[];
  readonly egressProxy: string | null;
  readonly alertEmails: readonly string[];
  readonly smtpUrl: string | null;
  readonly mailFrom: string;
  readonly alertWebhook: string | null;
  readonly alertWebhookSecret: string | null;
  readonly alertWebhookFormat: 'json' | 'slack';
  readonly eventRetentionMs: number;
  readonly attemptRetentionMs: number;
  /** The most bytes that both tables of attempts may take, indexes included. */
  readonly attemptBytes: number;
  /** The most bytes of entries that a worker holds for sending; null: as much as its own memory allows. */
  readonly sendBytes: number | null;
  readonly logLevel: LogLevel;
  /** Null when metrics have no port of their own. */
  readonly metricsPort: number | null;
  readonly metricsHost: string;
  /** The number of consumers with series of their own; those in trouble come first. */
  readonly metricsConsumers: number;
  /** The control task queue, with workflows and short activities. */
  readonly taskQueue: string;
  /** A file with the workflows, bundled; null: a worker bundles them at its start. */
  readonly workflowBundle: string | null;
  readonly devReceiverUrl: string | null;
  /** Whether `npm start` or the demo started this process; `/readyz` then also waits for a worker. */
  readonly supervised: boolean;
}

/** The configuration of `server.ts` and `worker.ts`, which always name a database and Temporal. */
export type ServiceConfig = Config & {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
};

/** The task queue of the region, for the activities that send. */
export function deliveryQueue(config: Pick<Config, 'taskQueue' | 'region'>): string {
  return `${config.taskQueue}-deliver-${config.region}`;
}

/** Reads the environment; an empty variable counts as not set. Throws `ConfigError`. */
export function loadConfig(env: NodeJS.ProcessEnv, role: 'server' | 'worker'): ServiceConfig;
export function loadConfig(env: NodeJS.ProcessEnv, role: Role): Config;
export function loadConfig(env: NodeJS.ProcessEnv, role: Role): Config {
  const given = Object.entries(env).filter(
    ([name, value]) => value !== '' || name === 'MILLRACE_ALLOW_CIDRS',
  );
  const parsed = Variables.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw sentence(parsed.error, env);
  const values = parsed.data;
  const temporal = readTemporal(env);
  const service = role !== 'dev';
  if (service) {
    need(role, 'DATABASE_URL', values.DATABASE_URL, 'the URL of a Postgres database');
    need(role, 'MILLRACE_ENCRYPTION_KEYS', values.MILLRACE_ENCRYPTION_KEYS, KEYS_FORM);
  }
  const missing = missingPublicUrl(!service || values.MILLRACE_SUPERVISED === '1', values);
  if (missing !== null) throw new ConfigError(missing);
  const address =
    temporal.connectionOptions.address ?? (service ? DEFAULT_TEMPORAL_ADDRESS : undefined);
  return {
    port: values.MILLRACE_PORT,
    host: values.MILLRACE_HOST,
    publicUrl: values.MILLRACE_PUBLIC_URL ?? null,
    dataDir: resolve(values.MILLRACE_DATA_DIR),
    databaseUrl: values.DATABASE_URL ?? null,
    temporalAddress: address ?? null,
    temporalNamespace: temporal.namespace ?? 'default',
    temporalConnection: {
      ...temporal.connectionOptions,
      ...(address === undefined ? {} : { address, ...channelArgsFor(address) }),
    },
    temporalUiUrl: values.MILLRACE_TEMPORAL_UI_URL ?? null,
    apiKey: values.MILLRACE_API_KEY ?? null,
    apiRateLimit: values.MILLRACE_API_RATE_LIMIT ?? null,
    trustProxy: values.MILLRACE_TRUST_PROXY === '1',
    encryptionKeys: values.MILLRACE_ENCRYPTION_KEYS ?? [],
    region: values.MILLRACE_REGION,
    visitLanes: values.MILLRACE_VISIT_LANES,
    retryWindowMs: values.MILLRACE_RETRY_WINDOW,
    idleAfterMs: values.MILLRACE_IDLE_AFTER,
    allowCidrs: values.MILLRACE_ALLOW_CIDRS ?? (service ? [] : LOOPBACK),
    egressProxy: values.MILLRACE_EGRESS_PROXY ?? null,
    alertEmails: values.MILLRACE_ALERT_EMAIL ?? [],
    smtpUrl: values.SMTP_URL ?? null,
    mailFrom: values.MILLRACE_MAIL_FROM,
    alertWebhook: values.MILLRACE_ALERT_WEBHOOK ?? null,
    alertWebhookSecret: values.MILLRACE_ALERT_WEBHOOK_SECRET ?? null,
    alertWebhookFormat: values.MILLRACE_ALERT_WEBHOOK_FORMAT,
    eventRetentionMs: values.MILLRACE_EVENT_RETENTION,
    attemptRetentionMs: values.MILLRACE_ATTEMPT_RETENTION,
    attemptBytes: values.MILLRACE_ATTEMPT_SIZE,
    sendBytes: values.MILLRACE_SEND_MEMORY ?? null,
    logLevel: values.LOG_LEVEL,
    metricsPort: values.MILLRACE_METRICS_PORT ?? null,
    metricsHost: values.MILLRACE_METRICS_HOST,
    metricsConsumers: values.MILLRACE_METRICS_CONSUMERS,
    taskQueue: values.MILLRACE_TASK_QUEUE,
    workflowBundle: values.MILLRACE_WORKFLOW_BUNDLE ?? null,
    devReceiverUrl: values.MILLRACE_DEV_RECEIVER_URL ?? null,
    supervised: values.MILLRACE_SUPERVISED === '1',
  };
}

const DEFAULT_TEMPORAL_ADDRESS = '127.0.0.1:7233';
const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const KEYS_FORM = 'a comma-separated list of id:key, each key 32 bytes in base64';
/** Powers of two, as in Postgres. */
const SIZE_UNITS = { MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };
const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The levels of pino. */
const LogLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);
export type LogLevel = z.infer<typeof LogLevel>;

/** Variables whose values errors never repeat. */
const SECRET = new Set([
  'DATABASE_URL',
  'SMTP_URL',
  'MILLRACE_API_KEY',
  'MILLRACE_ENCRYPTION_KEYS',
  'MILLRACE_EGRESS_PROXY', // may carry a password
  'MILLRACE_ALERT_WEBHOOK', // may carry a key
  'MILLRACE_ALERT_WEBHOOK_SECRET',
]);

const NOT_A_DURATION = { error: 'must be a duration such as 24h, 60s or 500ms' };
/** `24h`, `60s`, `1.5d`, `500ms` to milliseconds. */
const duration = (min: string, max: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/u, NOT_A_DURATION)
    .transform(toMs)
    .refine((ms) => ms >= toMs(min) && ms <= toMs(max), {
      error: `must be a duration from ${min} to ${max}`,
    });

function toMs(text: string): number {
  const unit = /[a-z]+$/u.exec(text)?.[0] as keyof typeof DURATION_UNITS;
  return Math.round(Number(text.slice(0, -unit.length)) * DURATION_UNITS[unit]);
}

const NOT_A_SIZE = { error: 'must be a size such as 500MB, 10GB or 1.5TB' };
/** `500MB`, `10GB`, `1.5TB` to bytes. */
const size = (min: string, max: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?(MB|GB|TB)$/u, NOT_A_SIZE)
    .transform(toBytes)
    .refine((bytes) => bytes >= toBytes(min) && bytes <= toBytes(max), {
      error: `must be a size from ${min} to ${max}`,
    });

function toBytes(text: string): number {
  const unit = text.slice(-2) as keyof typeof SIZE_UNITS;
  return Math.round(Number(text.slice(0, -2)) * SIZE_UNITS[unit]);
}

const url = (protocol: RegExp, error: string) =>
  z.string().refine((value) => protocol.test(URL.parse(value)?.protocol ?? ''), { error });
const webUrl = url(/^https?:$/u, 'must be an http or https URL');

/** An http or https URL without anything after its host and port, as its origin. */
const origin = z
  .string()
  .refine(isOrigin, {
    error: 'must be an http or https URL without a path, such as https://millrace.example.com',
  })
  .transform((value) => new URL(value).origin);

/** A comma-separated list; blanks around commas and empty parts are ignored. */
const list = (good: (part: string) => boolean, error: string) =>
  z
    .string()
    .transform(splitList)
    .refine((parts) => parts.every(good), { error });

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const family = isIP(address);
  return (
    family !== 0 &&
    rest.length === 0 &&
    /^\d{1,3}$/u.test(bits) &&
    Number(bits) <= (family === 4 ? 32 : 128)
  );
}

const encryptionKeys = z
  .string()
  .transform((text) =>
    splitList(text).map((part): VaultKey => {
      const colon = part.indexOf(':');
      return { id: part.slice(0, colon), key: Buffer.from(part.slice(colon + 1), 'base64') };
    }),
  )
  .refine((keys) => keys.length > 0 && keys.every(isKey), { error: `must be ${KEYS_FORM}` })
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    error: `must be ${KEYS_FORM}, without repeated ids`,
  });

function isKey({ id, key }: VaultKey): boolean {
  return /^[\w-]{1,64}$/u.test(id) && key.length === 32;
}

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/u, {
  error: 'must be 1–63 lower-case letters, digits and hyphens',
});

const port = z
  .string()
  .regex(/^\d{1,5}$/u, { error: 'must be a port from 0 to 65535' })
  .transform(Number)
  .refine((value) => value <= 65_535, { error: 'must be a port from 0 to 65535' });

const host = z
  .string()
  .regex(/^[\w.:-]+$/u, { error: 'must be an IP address or a host name without a port' });

const Variables = z.object({
  MILLRACE_PORT: port.default(4600),
  MILLRACE_HOST: host.default('127.0.0.1'),
  MILLRACE_PUBLIC_URL: origin.optional(),
  MILLRACE_DATA_DIR: z.string().default('./.millrace'),
  DATABASE_URL: url(/^postgres(ql)?:$/u, 'must be a postgres:// URL').optional(),
  MILLRACE_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,255}$/u, { error: 'must be 16–255 visible ASCII characters' })
    .optional(),
  MILLRACE_API_RATE_LIMIT: z
    .string()
    .regex(/^\d{1,6}$/u, {
      error: 'must be a number of requests per second from 0 (no limit) to 999999',
    })
    .transform(Number)
    .optional(),
  MILLRACE_TRUST_PROXY: z.enum(['0', '1']).default('0'),
  MILLRACE_ENCRYPTION_KEYS: encryptionKeys.optional(),
  MILLRACE_REGION: name.default('us-west-2'),
  MILLRACE_RETRY_WINDOW: duration('1s', '30d').default(toMs('24h')),
  MILLRACE_IDLE_AFTER: duration('10ms', '24h').default(toMs('60s')),
  MILLRACE_VISIT_LANES: z
    .string()
    .regex(/^\d{1,2}$/u, { error: 'must be a number from 0 to 99' })
    .transform(Number)
    .default(1),
  MILLRACE_ALLOW_CIDRS: list(
    isCidr,
    'must be a comma-separated list of address ranges such as 10.0.0.0/8,::1/128',
  ).optional(),
  MILLRACE_EGRESS_PROXY: webUrl.optional(),
  MILLRACE_ALERT_EMAIL: list(
    (part) => z.email().safeParse(part).success,
    'must be a comma-separated list of email addresses',
  ).optional(),
  SMTP_URL: url(/^smtps?:$/u, 'must be an smtp:// or smtps:// URL').optional(),
  MILLRACE_MAIL_FROM: z
    .string()
    .regex(/^([^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/u, {
      error: 'must be an email address, with or without a name: Millrace <millrace@example.com>',
    })
    .default('Millrace <millrace@localhost>'),
  MILLRACE_ALERT_WEBHOOK: webUrl.optional(),
  MILLRACE_ALERT_WEBHOOK_FORMAT: z.enum(['json', 'slack']).default('json'),
  MILLRACE_ALERT_WEBHOOK_SECRET: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/u, {
      error: 'must be whsec_ followed by 24–64 bytes in base64',
    })
    .optional(),
  MILLRACE_EVENT_RETENTION: duration('1s', '3650d').default(toMs('30d')),
  MILLRACE_ATTEMPT_RETENTION: duration('1s', '3650d').default(toMs('7d')),
  MILLRACE_ATTEMPT_SIZE: size('10MB', '1000TB').default(toBytes('10GB')),
  MILLRACE_SEND_MEMORY: size('16MB', '16GB').optional(),
  LOG_LEVEL: LogLevel.default('info'),
  MILLRACE_METRICS_PORT: port.optional(),
  MILLRACE_METRICS_HOST: host.default('127.0.0.1'),
  MILLRACE_METRICS_CONSUMERS: z
    .string()
    .regex(/^\d{1,4}$|^10000$/u, { error: 'must be a number from 0 to 10000' })
    .transform(Number)
    .default(1_000),
  MILLRACE_TEMPORAL_UI_URL: webUrl.optional(),
  // Set by `npm start` for its processes and by tests; not for operators.
  MILLRACE_TASK_QUEUE: name.default('millrace'),
  MILLRACE_WORKFLOW_BUNDLE: z.string().optional(),
  MILLRACE_DEV_RECEIVER_URL: webUrl.optional(),
  MILLRACE_SUPERVISED: z.enum(['0', '1']).optional(),
});

function sentence(error: z.ZodError, env: NodeJS.ProcessEnv): ConfigError {
  const issue = error.issues[0];
  const variable = String(issue?.path[0]);
  const rule =
    issue?.code === 'invalid_value'
      ? `must be ${issue.values
          .map(String)
          .join(', ')
          .replace(/, (?=[^,]*$)/u, ' or ')}`
      : issue?.message;
  const value = SECRET.has(variable) ? '' : `, not ${JSON.stringify(env[variable])}`;
  return new ConfigError(`${variable} ${rule}${value}.`);
}

function need(role: Role, variable: string, value: unknown, what: string): void {
  if (value !== undefined) return;
  throw new ConfigError(
    `${variable} must be set for ${role}.ts: ${what} (npm start brings its own).`,
  );
}

/** Reads `TEMPORAL_*` and Temporal's own configuration file, as every Temporal tool does. */
function readTemporal(env: NodeJS.ProcessEnv): ClientConnectConfig {
  const given = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  let config: ClientConnectConfig;
  try {
    config = loadTemporal(Object.fromEntries(given));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const profile = env['TEMPORAL_PROFILE'] ?? '';
    if (profile !== '' && why.startsWith('Profile ')) {
      const where = "a profile of Temporal's configuration file (TEMPORAL_CONFIG_FILE)";
      throw new ConfigError(`TEMPORAL_PROFILE must name ${where}, not ${JSON.stringify(profile)}.`);
    }
    throw new ConfigError(
      `TEMPORAL_CONFIG_FILE and TEMPORAL_TLS_* must name files that can be read: ${why}.`,
    );
  }
  const { address } = config.connectionOptions;
  if (address !== undefined && !/^[\w.-]+:\d{1,5}$|^\[[\da-f:]+\]:\d{1,5}$/iu.test(address)) {
    throw new ConfigError(
      `TEMPORAL_ADDRESS must be host:port such as 127.0.0.1:7233, not ${JSON.stringify(address)}.`,
    );
  }
  return config;
}

/** Reads a configuration file without a profile, such as an empty one, as one that sets nothing. */
function loadTemporal(overrideEnvVars: Record<string, string>): ClientConnectConfig {
  try {
    return loadClientConnectConfig({ overrideEnvVars });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it expects the file to have profiles
    return loadClientConnectConfig({ overrideEnvVars, configSource: { data: '[profile]' } });
  }
}
