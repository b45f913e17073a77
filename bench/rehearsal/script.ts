import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';

/** Runs a script of docker-compose.yml as its container does; throws unless it exits with 0. */
export async function runScript(
  script: string,
  options: { env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal },
): Promise<void> {
  const { env, logFile, signal } = options;
  await using log = await open(logFile, 'a', 0o600);
  const child = spawn('sh', ['-euc', script], { env, signal, stdio: ['ignore', log.fd, log.fd] });
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`it ended with ${killedBy ?? code}`);
}
