import pino from 'pino';

import type { LogLevel } from './config.ts';

export type Log = pino.Logger;

/** Keys whose values never reach a log line, on the first two levels of what is logged. */
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

/** One JSON line an event on stderr; secrets and entries' data are cut out. `fields` are on each line. */
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

/** Name, message, code and stack only: driver errors carry rows and parameters beside them. */
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
