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

/** Writes one JSON line per message to stderr, with `fields` and without secrets or data of entries. */
export function createLog(level: LogLevel, fields: Record<string, string> = {}): Log {
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      serializers: { err: toPlainError, error: toPlainError },
    },
    pino.destination({ fd: 2, sync: true }),
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
