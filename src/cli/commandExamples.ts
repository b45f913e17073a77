import type { Command } from 'commander';

import { examples } from './values.ts';

/** An example for each command that does not have its own, by its words; some have more than one. */
const EXAMPLES: Record<string, [command: string, does: string]> = {
  dev: ['millrace dev --port 8080', 'run everything here, with the API on another port'],
  demo: ['millrace demo --once', 'deliver a real data set and check every webhook'],
  'sources list': ['millrace sources list', 'with how far each is behind'],
  'sources get': ['millrace sources get shop', ''],
  'sources problems': ['millrace sources problems shop', 'rows that could not be read'],
  'sources add': [
    'millrace sources add --name shop --url-file shop.url --table public.users --table public.orders',
    '',
  ],
  'sources edit': ['millrace sources edit shop --add-table public.orders', ''],
  'sources delete': ['millrace sources delete shop --yes', 'without asking first'],
  'sources pause': ['millrace sources pause shop', ''],
  'sources resume': ['millrace sources resume shop', ''],
  'sources snapshot': ['millrace sources snapshot shop --table public.orders', ''],
  'sources test': ['millrace sources test --url-file shop.url', 'exit 0: it can be followed'],
  'targets list': ['millrace targets list --q accra', 'by a part of a name, a base URL or an id'],
  'targets get': ['millrace targets get shop', ''],
  'targets create': [
    'millrace targets create --name shop --base-url https://example.com/hooks',
    '',
  ],
  'targets update': ['millrace targets update shop --rate-limit 50', ''],
  'targets delete': ['millrace targets delete shop --yes', 'without asking first'],
  'targets test': ['millrace targets test shop', 'exit 0: it was accepted; 1: it was not'],
  'targets rotate-secret': ['millrace targets rotate-secret shop --expires-in 7d', ''],
  'consumers list': ['millrace consumers list --sort lag --limit 10', 'those that lag most'],
  'consumers get': ['millrace consumers get orders --watch', 'follow its status'],
  'consumers create': [
    'millrace consumers create --name orders --target shop --stream events',
    'everything appended from now on',
  ],
  'consumers update': [
    'millrace consumers update orders --body fields:/data/email,/data/name',
    'send no more of the data',
  ],
  'consumers delete': ['millrace consumers delete orders --yes', 'without asking first'],
  'consumers pause': ['millrace consumers pause orders', ''],
  'consumers retry': ['millrace consumers retry orders', 'the same as millrace retry orders'],
  'consumers resume': [
    'millrace consumers resume orders',
    'exit 0: it delivers again; 1: it failed again',
  ],
  'consumers seek': ['millrace consumers seek orders 2h', 'send the last two hours again'],
  'consumers filter': ['millrace consumers filter orders --add-collection stripe:customer', ''],
  'consumers preview': ['millrace consumers preview --stream events --sync crm', ''],
  'syncs list': ['millrace syncs list', 'with how many events and records each has'],
  'collections list': ['millrace collections list --sync crm', 'only those of one sync'],
  'records get': ['millrace records get crm stripe:customer cus_1', ''],
  alerts: ['millrace alerts orders', 'the alerts of one consumer; without a name, of all'],
  'alerts test': [
    'millrace alerts test --to me@example.com',
    'exit 0: it was accepted; 1: it was not',
  ],
  parked: ['millrace parked orders', 'with the reason of each'],
  resend: ['millrace resend orders 1042', 'the entry at this position'],
  'dead-letters list': ['millrace dead-letters list orders', ''],
  'dead-letters get': ['millrace dead-letters get orders 0199c1f2', 'the beginning of its id'],
  'dead-letters replay': ['millrace dead-letters replay orders --all', ''],
  'dead-letters delete': ['millrace dead-letters delete orders 0199c1f2 --yes', ''],
  'keys list': ['millrace keys list', ''],
  'keys create': ['millrace keys create --name importer --scope ingest', ''],
  'keys delete': ['millrace keys delete importer --yes', 'without asking first'],
  'keys rotate': ['millrace keys rotate', 'with DATABASE_URL and MILLRACE_ENCRYPTION_KEYS set'],
  'signature verify': [
    'millrace signature verify --secret whsec_… --header-file headers.txt --body body.json',
    '',
  ],
  'signature explain': [
    'millrace signature explain --secret whsec_… --header-file headers.txt --body body.json',
    '',
  ],
};

const MORE: Record<string, [command: string, does: string][]> = {
  'targets update': [
    ['millrace targets update shop --client-certificate shop.crt --client-key shop.key', 'mTLS'],
  ],
  'consumers create': [
    [
      "millrace consumers create --name large --target shop --stream events --where 'event.data.amount > 100'",
      '',
    ],
  ],
  'consumers update': [
    [
      `millrace consumers update orders --body 'map:{"text": "New order " + event.upstream_id}'`,
      'for Slack',
    ],
    ["millrace consumers update orders --where 'event.data.amount > 100'", 'only large ones'],
    ['millrace consumers update orders --batch entries=100', 'up to 100 with one request'],
  ],
  'consumers filter': [
    ["millrace consumers filter orders --where 'event.data.amount > 100'", 'only large ones'],
  ],
  'consumers preview': [
    [
      "millrace consumers preview --stream events --where 'event.data.amount > 100' --body thin",
      '',
    ],
  ],
};

/** Puts an example before the help of each command in the table. Throws for a command that does not exist. */
export function addExamples(program: Command): void {
  for (const [words, example] of Object.entries(EXAMPLES)) {
    let command: Command | undefined = program;
    for (const word of words.split(' ')) {
      command = command?.commands.find((one) => one.name() === word);
    }
    if (command === undefined) throw new Error(`There is no command ${words}`);
    command.addHelpText('before', examples(example, ...(MORE[words] ?? [])));
  }
}
