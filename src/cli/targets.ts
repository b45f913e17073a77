import type { Command } from 'commander';

import type { Target } from '../schema/target.ts';
import type { TargetTest } from '../schema/targetTest.ts';
import { confirm, withYes, type YesFlag } from './confirm.ts';
import type { RunCommand } from './context.ts';
import { EXIT } from './exit.ts';
import { findTarget } from './find.ts';
import type { Output } from './output.ts';
import { printable } from './table.ts';
import { targetInputOf, withTargetFlags, type TargetFlags } from './targetFlags.ts';
import { examples, limit, needChange, needFlags, seconds } from './values.ts';

interface ListFlags {
  q?: string;
  limit?: number;
  cursor?: string;
}

/** Adds `millrace targets …`. */
export function addTargetCommands(program: Command, run: RunCommand): void {
  const group = program
    .command('targets')
    .description('endpoints that webhooks are sent to')
    .addHelpText(
      'before',
      examples(
        ['millrace targets create --name shop --base-url https://example.com/hooks', ''],
        ['millrace targets test shop', 'send a signed test webhook now'],
        ['millrace targets rotate-secret shop', 'the old secret signs as well for another 24 h'],
      ),
    );

  group
    .command('list')
    .description('list targets, newest first')
    .option('--q <text>', 'part of its name, its base URL or its id')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((options: ListFlags) =>
      run(async ({ client, out }) => {
        const page = await client.targets.list(options);
        out.page(page, COLUMNS, 'targets');
      }),
    );

  group
    .command('get <target>')
    .description('show a target, by its id, its name, or the beginning of either')
    .action((target: string) =>
      run(async ({ client, out }) => {
        showTarget(out, await client.targets.get(await findTarget(client, target)));
      }),
    );

  withTargetFlags(group.command('create'))
    .description('create a target, whose signing secret is shown only once')
    .action((options: TargetFlags) =>
      run(async ({ client, out }) => {
        const input = await targetInputOf(options);
        needFlags(options, ['name', 'baseUrl']);
        const created = await client.targets.create(input);
        showTarget(out, created);
        out.note(`Its signing secret is shown only once: ${created.signing_secret}`);
      }),
    );

  withTargetFlags(group.command('update <target>'))
    .description('change the given fields; its blocked consumers retry immediately')
    .action((target: string, options: TargetFlags) =>
      run(async ({ client, out }) => {
        needChange(options);
        const id = await findTarget(client, target);
        showTarget(out, await client.targets.update(id, await targetInputOf(options)));
      }),
    );

  withYes(group.command('delete <target>'))
    .description('delete a target that no consumer uses, with its credentials and secrets')
    .action((target: string, flags: YesFlag) =>
      run(async ({ client, out, signal }) => {
        const id = await findTarget(client, target);
        const { name } = await client.targets.get(id);
        const which = `target ${JSON.stringify(printable(name))} (${id})`;
        await confirm(`Delete ${which}, its credentials and its secrets?`, { flags, signal });
        await client.targets.delete(id);
        out.note(`Deleted ${which}`);
      }),
    );

  group
    .command('test <target>')
    .description('send a signed test webhook; exit 1 when it is not accepted')
    .action((target: string) =>
      run(async ({ client, out }) => {
        const tested = await client.targets.test(await findTarget(client, target));
        showTest(out, tested);
        return tested.outcome === 'delivered' ? EXIT.ok : EXIT.failed;
      }),
    );

  group
    .command('rotate-secret <target>')
    .description('create a new signing secret, which is shown only once')
    .option(
      '--expires-in <duration>',
      'how long the old secret signs as well (default: 24h)',
      seconds,
    )
    .action((target: string, options: { expiresIn?: number }) =>
      run(async ({ client, out }) => {
        const id = await findTarget(client, target);
        const { expiresIn } = options;
        const rotated = await client.targets.rotateSecret(
          id,
          expiresIn === undefined ? {} : { expires_in: expiresIn },
        );
        showTarget(out, rotated);
        out.note(`Its new signing secret is shown only once: ${rotated.signing_secret}`);
      }),
    );
}

const COLUMNS = [
  { title: 'NAME', of: (one: Target) => one.name },
  { title: 'HEALTH', of: (one: Target) => healthOf(one) },
  { title: 'ID', of: (one: Target) => one.id },
  { title: 'URL', of: (one: Target) => urlOf(one) },
];

/** One that nothing was sent to has shown nothing. */
function healthOf({ health, tried }: Target): string {
  return health.status === 'ok' && !tried ? 'not tried yet' : health.status;
}

function urlOf({ base_url, idn_hosts }: Target): string {
  return withForms(base_url, idn_hosts.find(({ pointer }) => pointer === '/base_url') ?? null);
}

/** A URL with both forms of its host if that is internationalised, because it may only look like another one. */
function withForms(url: string, host: { ascii: string; unicode: string } | null): string {
  return host === null ? url : `${url} (${host.unicode} is ${host.ascii})`;
}

function showTarget(out: Output, one: Target): void {
  out.thing(one, [
    ['Name', one.name],
    ['ID', one.id],
    ['URL', urlOf(one)],
    ['Health', [healthOf(one), ...one.health.notes].join('; ')],
    ['Credentials', one.credentials.type],
    ['Headers', one.headers],
    ['Trusts', one.ca === null ? 'public certificate authorities' : 'its own CA certificates'],
    ['Client certificate', certificateOf(one)],
    ['Signing secret', one.signing_secret],
    ['Timeout', `${one.timeout_ms} ms`],
    ['Max in flight', one.max_in_flight],
    ['Rate limit', one.rate_limit === null ? 'none' : `${one.rate_limit} per second`],
    ['Metadata', one.metadata],
    ['Created', one.created_at],
    ['Updated', one.updated_at],
  ]);
}

function certificateOf({ client_certificate: shown }: Target): string {
  if (shown === null) return 'none';
  const { subject, issuer, valid_until, fingerprint } = shown;
  return `${subject}, issued by ${issuer}, until ${valid_until}, SHA-256 ${fingerprint}`;
}

function showTest(out: Output, tested: TargetTest): void {
  out.thing(tested, [
    ['Outcome', tested.outcome],
    ['Sent to', `POST ${withForms(tested.request.url, tested.request.idn_host)}`],
    ['Status', tested.status],
    ['Error', tested.error_code],
    ['Detail', tested.detail],
    ['Duration', `${tested.duration_ms} ms`],
    ['Response', tested.response_head],
  ]);
}
