import type { Command } from 'commander';

import type { GlobalOptions } from './context.ts';
import { EXIT } from './exit.ts';
import { showFindings } from './findings.ts';
import { createOutput } from './output.ts';
import { examples } from './values.ts';

/** Adds `millrace doctor`, which examines what this environment names; it works without an API. */
export function addDoctor(program: Command, exit: (code: number) => void): void {
  program
    .command('doctor')
    .description('find what is wrong here and how to fix it; exit 1 when something is wrong')
    .addHelpText(
      'before',
      examples(
        ['millrace doctor', 'with the environment of the processes'],
        ['millrace doctor --json', 'for a start-up probe or a ticket'],
      ),
    )
    .action(async () => {
      const { examine } = await import('./doctor.ts');
      const options = program.opts<GlobalOptions>();
      const out = createOutput({ isJson: options.json === true });
      const findings = await examine({ ...options, env: process.env });
      const worst = findings.some(({ status }) => status === 'fail') ? 'fail' : 'ok';
      if (out.isJson) out.json({ status: worst, checks: findings });
      else showFindings(out, findings);
      exit(worst === 'fail' ? EXIT.failed : EXIT.ok);
    });
}
