import { DefaultLogger, type LogEntry, type LogExporterConfig } from '@temporalio/worker';

import type { LogLevel } from '../process/config.ts';
import type { Log } from '../process/log.ts';

/** The SDK's own events are of interest only when something is wrong, or to people who look closer. */
const FROM: Record<LogLevel, 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'> = {
  trace: 'TRACE',
  debug: 'INFO',
  info: 'WARN',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'ERROR',
  silent: 'ERROR',
};

/** Makes the SDK's native part pass its events to the logger instead of printing them as coloured text. */
export function sdkLogging(level: LogLevel): LogExporterConfig {
  return { forward: {}, filter: { core: FROM[level], other: FROM[level] } };
}

/** The SDK's logger: each of its events is a line of the process's log, with `source: "temporal"`. */
export function sdkLogger(level: LogLevel, log: Log): DefaultLogger {
  return new DefaultLogger(FROM[level], (entry) => {
    if (entry.message.startsWith('No workflows registered')) return; // intended: this worker only delivers
    write(log, entry);
  });
}

function write(log: Log, { level, message, meta }: LogEntry): void {
  const fields = { ...meta, source: 'temporal' };
  switch (level) {
    case 'TRACE':
      return log.trace(fields, message);
    case 'DEBUG':
      return log.debug(fields, message);
    case 'INFO':
      return log.info(fields, message);
    case 'WARN':
      return log.warn(fields, message);
    case 'ERROR':
      return log.error(fields, message);
  }
}
