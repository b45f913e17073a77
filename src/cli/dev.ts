import { startStack, type Stack } from '../embedded/stack.ts';
import { onInterrupt } from './interrupt.ts';

/** How to run `npm start`. */
export interface DevOptions {
  env: NodeJS.ProcessEnv;
  /** Entry files that replace server.ts and worker.ts in tests. */
  entries?: { server: URL; worker: URL };
}

/**
 * `npm start`: runs Millrace and everything it needs until SIGINT, SIGTERM or SIGHUP; a second signal
 * cuts the drain short. stdout gets one line, once it is ready; stderr says what happens, in sentences, and the
 * log of the processes goes to a file. Returns the exit code.
 */
export async function runDev(options: DevOptions): Promise<number> {
  const giveUp = new AbortController();
  const interrupted = Promise.withResolvers<void>();
  let stack: Stack | null = null;
  onInterrupt({
    first: () => {
      say(
        'Stopping once the deliveries in flight are committed (press Ctrl-C again to stop sooner)',
      );
      giveUp.abort();
      interrupted.resolve();
    },
    again: () => stack?.hurry(),
  });
  try {
    stack = await startStack({
      env: options.env,
      receiver: true,
      say,
      onStep: say,
      ownLog: true,
      signal: giveUp.signal,
      ...(options.entries && { entries: options.entries }),
    });
    process.stdout.write(`Millrace ready at ${stack.url}\n`);
    process.stderr.write(summary(stack, options.env, await stack.signInLink()));
    await interrupted.promise;
    await stack.stop();
  } catch (error) {
    if (stack !== null || !giveUp.signal.aborted) throw error; // otherwise starting was interrupted
  }
  say('Stopped; the data stays');
  return 0;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function summary(stack: Stack, env: NodeJS.ProcessEnv, link: string | null): string {
  const key = env['MILLRACE_API_KEY'] ? 'the one in MILLRACE_API_KEY' : stack.apiKey;
  const lines = [
    ['Console', stack.url],
    ...(link === null ? [] : [['Sign in', `${link}  valid once, within 15 minutes`]]),
    ['API document', `${stack.url}/v1/openapi.json`],
    ['API key', key],
    ['Temporal UI', stack.uiUrl ?? `none here (server ${stack.temporal.address})`],
    ['Receiver', `${stack.receiver?.url}  as a target's base_url`],
    ['', `${stack.receiver?.pageUrl}  shows what it received`],
    ['Data', stack.dataDir],
    ['Log', `${stack.logFile}  whose warnings and errors appear here as well`],
    ['Processes', processes(stack)],
    ['Stop', 'Ctrl-C; the data stays'],
  ];
  return `\n${lines.map(([what = '', where]) => `  ${what.padEnd(14)}${where}\n`).join('')}\n`;
}

function processes(stack: Stack): string {
  return Object.entries(stack.processes())
    .map(([name, pid]) => `${name} ${pid}`)
    .join(', ');
}
