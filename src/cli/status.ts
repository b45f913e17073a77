import type { Command } from 'commander';

import type { Client } from '../api/client.ts';
import type { Status } from '../schema/status.ts';
import type { RunCommand } from './context.ts';
import { EXIT } from './exit.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { showFindings } from './findings.ts';
import { printable } from './table.ts';
import { examples } from './values.ts';

type Figures = NonNullable<Status['figures']>;
type Worst = Figures['worst'][number];
/** What is said after the number 1, and after another one. */
type Words = [one: string, more: string];

const PARTS: Record<string, string> = {
  database: 'Postgres',
  temporal: 'Temporal',
  worker: 'Worker',
};
/** How many consumers a line names. */
const NAMED = 3;

/** Adds `millrace status`. */
export function addStatus(program: Command, run: RunCommand): void {
  program
    .command('status')
    .description('show what runs and what is wrong; exit 1 when something is wrong')
    .addHelpText(
      'before',
      examples(
        ['millrace status', 'exit 0: nothing is wrong; 1: something is; 69: no answer'],
        ['millrace status --json', 'for a monitor'],
      ),
    )
    .action(() =>
      run(async ({ client, out }) => {
        const status = await client.status();
        const names = await namesOf(client, status.figures?.worst ?? []);
        const checks = findings(status, client.url, names);
        const isWrong = checks.some((one) => one.status === 'fail');
        if (out.isJson) out.json({ status: isWrong ? 'fail' : 'ok', checks, ...status });
        else showFindings(out, checks);
        return isWrong ? EXIT.failed : EXIT.ok;
      }),
    );
}

/** Reads the names of a few consumers; one that was deleted meanwhile has none. */
async function namesOf(client: Client, worst: readonly Worst[]): Promise<Map<string, string>> {
  const read = await Promise.allSettled(worst.map((one) => client.consumers.get(one.consumer_id)));
  return new Map(
    read.flatMap((one) => (one.status === 'fulfilled' ? [[one.value.id, one.value.name]] : [])),
  );
}

/** What runs, and what is wrong: `fail` marks a problem that someone has to look at. */
export function findings(
  { version, region, parts, figures }: Status,
  url: string,
  names: ReadonlyMap<string, string>,
): Finding[] {
  const found = [ok('Millrace', `${version} answers at ${url}, region ${region}`)];
  for (const [part, answers] of Object.entries(parts)) {
    const name = PARTS[part] ?? part;
    const fix = part === 'worker' ? 'Start one: node worker.ts' : 'millrace doctor';
    found.push(answers ? ok(name, 'answers') : fail(name, 'does not answer', fix));
  }
  if (figures === null) return found;
  const { consumers, outbox } = figures;
  const all = consumers.active + consumers.paused + consumers.blocked + consumers.stopped;
  found.push(
    outbox === 0
      ? ok('Outbox', 'no mail or alert webhook is waiting')
      : warn(
          'Outbox',
          outbox === 1
            ? '1 mail or alert webhook is waiting to be sent'
            : `${outbox} mails or alert webhooks are waiting to be sent`,
          'millrace alerts',
        ),
    ok('Consumers', `${all} in all, ${consumers.active} active, ${consumers.paused} paused`),
    ...troubles(figures, names),
  );
  return found;
}

function troubles(figures: Figures, names: ReadonlyMap<string, string>): Finding[] {
  const { consumers, worst } = figures;
  const found: Finding[] = [];
  const add = (name: string, many: number, words: Words, of: Worst[], next: string): void => {
    const text = many === 1 ? `1 ${words[0]}` : `${many} ${words[1]}`;
    if (many > 0) found.push(fail(name, `${text}${listed(of, names)}`, next));
  };
  const stopped = worst.filter(({ status }) => status === 'stopped');
  const blocked = worst.filter(({ status }) => status === 'blocked');
  const parked = worst.filter((one) => one.parked > 0);
  const dead = worst.filter((one) => one.dead_letters > 0);
  const name = (of: Worst[]): string => of[0]?.consumer_id ?? '<consumer>';
  add(
    'Stopped',
    consumers.stopped,
    ['consumer sends nothing until it is resumed', 'consumers send nothing until they are resumed'],
    stopped,
    'millrace consumers list --status stopped',
  );
  add(
    'Blocked',
    consumers.blocked,
    [
      'consumer is retrying because its endpoint fails',
      'consumers are retrying because their endpoints fail',
    ],
    blocked,
    'millrace consumers list --status blocked',
  );
  add(
    "Can't send",
    figures.cannot_start,
    [
      'consumer is kept from sending by something other than its endpoint',
      'consumers are kept from sending by something other than their endpoints',
    ],
    [],
    'millrace consumers list --has cannot_start',
  );
  add(
    'Parked',
    figures.parked,
    [
      'entry was rejected by its endpoint and is retried beside the others',
      'entries were rejected by their endpoints and are retried beside the others',
    ],
    parked,
    `millrace attempts ${name(parked)} --failed`,
  );
  add(
    'Dead letters',
    figures.dead_letters,
    [
      'entry was rejected for the whole retry window',
      'entries were rejected for the whole retry window',
    ],
    dead,
    `millrace dead-letters list ${name(dead)}`,
  );
  return found;
}

function listed(of: readonly Worst[], names: ReadonlyMap<string, string>): string {
  if (of.length === 0) return '';
  const first = of
    .slice(0, NAMED)
    .map((one) => printable(names.get(one.consumer_id) ?? one.consumer_id));
  return `: ${first.join(', ')}${of.length > NAMED ? ', …' : ''}`;
}
