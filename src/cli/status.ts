import type { Command } from 'commander';

import type { Client } from '../api/client.ts';
import type { Trouble } from '../schema/overview.ts';
import type { Status } from '../schema/status.ts';
import type { RunCommand } from './context.ts';
import { EXIT } from './exit.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { showFindings } from './findings.ts';
import { printable } from './table.ts';
import { troubleText } from './troubleText.ts';
import { examples } from './values.ts';

type Figures = NonNullable<Status['figures']>;
type Worst = Figures['worst'][number];

const PARTS: Record<string, string> = {
  database: 'Postgres',
  temporal: 'Temporal',
  worker: 'Worker',
};
/** How many consumers a line names. */
const NAMED = 3;
/** How many groups of consumers are described one by one for each status. */
const DESCRIBED = 10;

/** What is known beside the figures. */
interface Known {
  /** Of consumers that have parked entries or dead letters, by id. */
  names: ReadonlyMap<string, string>;
  /** Which consumers are in trouble, and why, in groups by target and cause. */
  troubles: readonly Trouble[];
}

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
        const checks = findings(status, client.url, await knownOf(client, status.figures));
        const isWrong = checks.some((one) => one.status === 'fail');
        if (out.isJson) out.json({ status: isWrong ? 'fail' : 'ok', checks, ...status });
        else showFindings(out, checks);
        return isWrong ? EXIT.failed : EXIT.ok;
      }),
    );
}

/** Reads why consumers are in trouble, and the names of a few; a consumer that was deleted meanwhile has none. */
async function knownOf(client: Client, figures: Figures | null): Promise<Known> {
  if (figures === null) return { names: new Map(), troubles: [] };
  const failed = figures.worst.filter((one) => one.parked > 0 || one.dead_letters > 0);
  const [read, { data: troubles }] = await Promise.all([
    Promise.allSettled(failed.map((one) => client.consumers.get(one.consumer_id))),
    client.troubles(),
  ]);
  const names = read.flatMap((one) =>
    one.status === 'fulfilled' ? [[one.value.id, one.value.name] as const] : [],
  );
  return { names: new Map(names), troubles };
}

/** What runs, and what is wrong: `fail` marks a problem that someone has to look at. */
export function findings(
  { version, region, parts, figures }: Status,
  url: string,
  known: Known,
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
    ...problemsOf(figures, known),
  );
  return found;
}

function problemsOf(figures: Figures, { names, troubles }: Known): Finding[] {
  const { consumers, worst } = figures;
  const parked = worst.filter((one) => one.parked > 0);
  const dead = worst.filter((one) => one.dead_letters > 0);
  const first = (of: readonly Worst[]): string => of[0]?.consumer_id ?? '<consumer>';
  const groups = (status: Trouble['status']): string[] =>
    described(troubles.filter((one) => one.status === status));
  return [
    ...problem('Stopped', consumers.stopped, {
      one: 'consumer sends nothing until it is resumed',
      more: 'consumers send nothing until they are resumed',
      parts: groups('stopped'),
      fix: 'millrace consumers list --status stopped',
    }),
    ...problem('Blocked', consumers.blocked, {
      one: 'consumer is retrying because its endpoint fails',
      more: 'consumers are retrying because their endpoints fail',
      parts: groups('blocked'),
      fix: 'millrace consumers list --status blocked',
    }),
    ...problem("Can't send", figures.cannot_start, {
      one: 'consumer is kept from sending by something other than its endpoint',
      more: 'consumers are kept from sending by something other than their endpoints',
      parts: groups('cannot_start'),
      fix: 'millrace consumers list --has cannot_start',
    }),
    ...problem('Parked', figures.parked, {
      one: 'entry failed by itself and is retried beside the others',
      more: 'entries failed by themselves and are retried beside the others',
      of: listed(parked, names),
      fix: `millrace parked ${first(parked)}`,
    }),
    ...problem('Dead letters', figures.dead_letters, {
      one: 'entry failed for the whole retry window',
      more: 'entries failed for the whole retry window',
      of: listed(dead, names),
      fix: `millrace dead-letters list ${first(dead)}`,
    }),
  ];
}

/** What is said of a problem: after the number 1, after another one, and to whom it happens. */
interface Said {
  one: string;
  more: string;
  of?: string;
  parts?: string[];
  fix: string;
}

function problem(name: string, count: number, { one, more, of = '', parts, fix }: Said): Finding[] {
  if (count === 0) return [];
  const found = fail(name, `${count} ${count === 1 ? one : more}${of}`, fix);
  return [parts === undefined || parts.length === 0 ? found : { ...found, parts }];
}

function described(troubles: readonly Trouble[]): string[] {
  const left = troubles.length - DESCRIBED;
  const shown = troubles.slice(0, DESCRIBED).map(troubleText);
  return left <= 0 ? shown : [...shown, `and ${left} more groups of consumers`];
}

function listed(of: readonly Worst[], names: ReadonlyMap<string, string>): string {
  if (of.length === 0) return '';
  const first = of
    .slice(0, NAMED)
    .map((one) => printable(names.get(one.consumer_id) ?? one.consumer_id));
  return `: ${first.join(', ')}${of.length > NAMED ? ', …' : ''}`;
}
