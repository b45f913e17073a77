import pino from 'pino';

import type { LogLevel } from './config.ts';

export type Log = pino.Logger;

/** Fields whose values never reach a log line, on the first two levels of the logged object. */
const SECRET_KEYS = [
  'authorization',
  'credentials',
  'password',
  'token',
  'secret',
  'client_secret',
  'access_token',
  'cookie',
  'signing_secret',
  'signing_secret_previous',
  'secrets',
  'hidden',
  'headers',
  'apiKey',
  'api_key',
  'encryptionKeys',
  'databaseUrl',
  'smtpUrl',
  'egressProxy',
  'alertWebhook',
  'alertWebhookSecret',
  'data',
  'body',
];

/** How much of the log is kept while it can't be written, such as on a full disk, in characters. */
const KEPT = 1_000_000;

/**
 * Writes one JSON line per message to stderr, with `fields` and without secrets or data of entries. A line that can't
 * be written never ends the process: it is written once that is possible, or dropped where too many wait for that.
 */
export function createLog(level: LogLevel, fields: Record<string, string> = {}): Log {
  const output = pino.destination({ fd: 2, sync: true, maxLength: KEPT });
  output.on('error', () => undefined); // nothing is left to which it could be reported
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      serializers: { err: toPlainError, error: toPlainError },
    },
    output,
  );
}

/** Keeps name, message, code, stack and cause only: driver errors also carry rows and parameters. */
function toPlainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: toPlainError(error.cause) }),
  };
}
