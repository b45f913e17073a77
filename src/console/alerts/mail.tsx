import type { Alert } from '../../schema/alert.ts';
import { useInfo } from '../info.ts';
import { Hint } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { amount } from '../words.ts';

type Mail = Alert['mail'];

/** Whether the mail of an alert was sent. */
export function MailBadge({ mail }: { mail: Mail }) {
  if (mail === null) return <Badge tone="idle" shape="○" text="no mail" />;
  if (mail.recipients === 0) return <Badge tone="warn" shape="▲" text="no recipient" />;
  if (mail.sent_at !== null) return <Badge tone="ok" shape="✓" text="sent" />;
  if (mail.dropped_at !== null) return <Badge tone="idle" shape="○" text="not needed" />;
  if (mail.given_up_at !== null) return <Badge tone="bad" shape="✕" text="given up" />;
  if (mail.last_error !== null) return <Badge tone="warn" shape="▲" text="retrying" />;
  if (mail.recipients === null) return <Badge tone="idle" shape="○" text="not known" />;
  return <Badge tone="accent" shape="…" text="waiting" />;
}

/** The state of an alert's mail. */
export function MailFacts({ mail }: { mail: Mail }) {
  if (mail === null)
    return (
      <p className="text-soft">
        No mail told of it: none is sent for it, or it was no longer true when the mail went out.
      </p>
    );
  const { recipients, to, consumers } = mail;
  return (
    <Facts
      facts={[
        ['Mail', <MailBadge key="state" mail={mail} />],
        mail.dropped_because === null ? null : ['Not sent', `${mail.dropped_because}.`],
        consumers === null || consumers < 2
          ? null
          : ['In one mail', `with ${amount(consumers - 1, 'other')}`],
        recipients === null || recipients === 0
          ? null
          : ['To', to?.join(', ') ?? amount(recipients, 'person', 'people')],
        mail.sent_at === null ? null : ['Sent', <TimeText key="sent" at={mail.sent_at} />],
        mail.given_up_at === null
          ? null
          : ['Given up', <TimeText key="given" at={mail.given_up_at} />],
        mail.dropped_at === null
          ? null
          : ['Not needed', <TimeText key="dropped" at={mail.dropped_at} />],
        mail.last_error === null ? null : ['Last error', mail.last_error],
        ['Message-ID', <code key="id">{mail.message_id}</code>],
      ]}
    />
  );
}

/** The state of an alert's mail in one line, for lists on a phone. */
export function MailLine({ mail }: { mail: Mail }) {
  return (
    <span className="flex flex-wrap items-center gap-x-2 text-xs text-soft">
      Mail: <MailBadge mail={mail} />
      {mail?.sent_at != null && <TimeText at={mail.sent_at} />}
    </span>
  );
}

/** Says where mails are when no mail server is set; shown only in development. */
export function OutboxHint() {
  const { data: info } = useInfo();
  if (info?.dev_outbox !== true) return null;
  return (
    <Hint>
      In development, without <code>SMTP_URL</code>, mails are <code>.eml</code> files in{' '}
      <code>&lt;data folder&gt;/outbox</code>; <code>npm start</code> prints the data folder.
    </Hint>
  );
}
