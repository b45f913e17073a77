import { format } from 'node:util';

import type { Log } from './log.ts';

/**
 * Turns everything that would otherwise be printed as plain text into log lines: Node's warnings, console
 * output of libraries, and the error that ends the process, which then exits with code 1.
 */
export function logStrayOutput(log: Log): void {
  process.removeAllListeners('warning'); // Node's own listener prints it
  process.on('warning', (warning) => log.warn({ err: warning }, 'a warning of Node.js'));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the process ends because of an uncaught error');
    process.exit(1);
  });
  const levels = {
    debug: 'debug',
    log: 'info',
    info: 'info',
    warn: 'warn',
    error: 'error',
  } as const;
  for (const [method, level] of Object.entries(levels)) {
    console[method as keyof typeof levels] = (...args: unknown[]) =>
      log[level]({ source: 'console' }, format(...args));
  }
}
