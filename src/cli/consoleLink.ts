import { spawn } from 'node:child_process';
import { once } from 'node:events';

import type { Command } from 'commander';

import type { RunCommand } from './context.ts';
import { examples } from './values.ts';

/** Adds `millrace console`. */
export function addConsole(program: Command, run: RunCommand): void {
  program
    .command('console')
    .description('print a link that signs in to the console once, and open it in a browser')
    .addHelpText(
      'before',
      examples(
        ['millrace console', 'print the link and open it'],
        ['millrace console --no-open', 'only print the link'],
      ),
    )
    .option('--no-open', 'do not start a browser')
    .action((flags: { open: boolean }) =>
      run(async ({ client, out, env }) => {
        const link = await client.signInLink();
        if (out.isJson) {
          out.json(link);
          return;
        }
        out.line(link.url);
        out.note(
          `The link signs in the first browser that opens it. It expires at ${link.expires_at}.`,
        );
        const browser = flags.open ? browserOf(env, process.platform) : null;
        if (browser === null || (await opens(browser, link.url))) return;
        out.note(`${browser} could not be started; open the link yourself`);
      }),
    );
}

/** The program that opens a URL: `BROWSER`, else that of the desktop; null where there is no desktop. */
export function browserOf(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | null {
  const named = env['BROWSER'];
  if (named !== undefined && named !== '') return named;
  if (platform === 'darwin') return 'open';
  if (platform === 'win32') return 'explorer';
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? 'xdg-open' : null;
}

/** Starts a browser that outlives this process; resolves with whether it started. */
async function opens(browser: string, url: string): Promise<boolean> {
  const child = spawn(browser, [url], { stdio: 'ignore', detached: true });
  child.unref();
  return once(child, 'spawn').then(
    () => true,
    () => false, // there is no such program
  );
}
