import type { Command } from 'commander';

import type { AlertTest } from '../schema/alertTest.ts';
import type { RunCommand } from './context.ts';
import { EXIT } from './exit.ts';
import { given } from './values.ts';

/** Adds `millrace alerts test`. */
export function addAlertTest(alerts: Command, run: RunCommand): void {
  alerts
    .command('test')
    .description(
      'send a test alert by mail and to the alert webhook; exit 1 unless one is accepted and none fails',
    )
    .option('--to <address>', 'mail it to this address instead of MILLRACE_ALERT_EMAIL')
    .action((flags: { to?: string }) =>
      run(async ({ client, out }) => {
        const tested = await client.testAlert(given({ to: flags.to }));
        const { mail, webhook } = tested;
        out.thing(tested, [
          [
            'Mail',
            `${wordsOf(mail.outcome)}${mail.to.length > 0 ? `, to ${mail.to.join(', ')}` : ''}`,
          ],
          ...(mail.detail === null ? [] : [['', mail.detail] as const]),
          [
            'Webhook',
            `${wordsOf(webhook.outcome)}${webhook.status === null ? '' : `, HTTP ${webhook.status}`}`,
          ],
          ...(webhook.detail === null ? [] : [['', webhook.detail] as const]),
          ['Sent by', tested.sent_by],
        ]);
        return isFine(tested) ? EXIT.ok : EXIT.failed;
      }),
    );
}

function isFine({ mail, webhook }: AlertTest): boolean {
  const outcomes: string[] = [mail.outcome, webhook.outcome];
  return outcomes.includes('accepted') && !outcomes.includes('failed');
}

function wordsOf(outcome: AlertTest['mail']['outcome']): string {
  return outcome === 'not_set' ? 'not set' : outcome;
}
