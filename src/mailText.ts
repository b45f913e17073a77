import type { AlertKind, Troubled } from './alerts.ts';

export interface MailInput {
  kind: AlertKind;
  consumerId: string;
  /** Why, as the consumer's status says it. */
  reason: string;
  at: Date;
  publicUrl: string;
  troubled: Troubled;
}

const SUBJECT: Record<AlertKind, string> = {
  warning: 'Failing',
  stopped: 'Stopped',
  gone: 'Stopped, the endpoint is gone',
  recovered: 'Recovered',
};

/** Says it all in a list of mails. */
export function mailSubject({ kind, troubled }: MailInput): string {
  const subject = `${SUBJECT[kind]}: ${troubled.name} → ${troubled.target_name}`;
  return subject.replaceAll(/\p{Cc}/gu, ' ');
}

export function mailText(input: MailInput): string {
  const { lead, facts, next, command, link } = parts(input);
  const lines = [lead, '', ...facts.map(([name, value]) => `${`${name}:`.padEnd(15)}${value}`), ''];
  return [...lines, next, '', ...(command === null ? [] : [`  ${command}`]), `  ${link}`, ''].join(
    '\n',
  );
}

/** The same words as the text; everything that came from outside is escaped. */
export function mailHtml(input: MailInput): string {
  const { lead, facts, next, command, link } = parts(input);
  const rows = facts.map(
    ([name, value]) => `<tr><td>${escape(name)}</td><td>${escape(value)}</td></tr>`,
  );
  return [
    `<p><strong>${escape(lead)}</strong></p>`,
    `<table>${rows.join('')}</table>`,
    `<p>${escape(next)}</p>`,
    command === null ? '' : `<pre>${escape(command)}</pre>`,
    `<p><a href="${escape(link)}">${escape(link)}</a></p>`,
  ].join('\n');
}

interface Parts {
  lead: string;
  facts: [name: string, value: string][];
  next: string;
  command: string | null;
  link: string;
}

function parts({ kind, consumerId, reason, publicUrl, troubled }: MailInput): Parts {
  const { name, last_failure: failure, failing_since: since, waiting, position } = troubled;
  const upTo = `up to ${waiting} entries, from position ${position + 1}. Nothing is lost.`;
  const facts: Parts['facts'] = [
    ['Endpoint', withoutSecrets(troubled.target_url)],
    ['Failing since', since ?? 'unknown'],
    [
      'Last answer',
      failure === null ? 'none' : `${failure.code}, ${failure.detail} (${failure.at})`,
    ],
    ['Waiting', upTo],
  ];
  const link = `${publicUrl}/consumers/${consumerId}`;
  const says: Record<AlertKind, [lead: string, next: string, command: string | null]> = {
    warning: [
      `Consumer "${name}" has been failing for a while: ${reason}.`,
      'It is tried again by itself until the retry window ends. To try at once:',
      `millrace retry ${consumerId}`,
    ],
    stopped: [
      `Consumer "${name}" has stopped: ${reason}.`,
      'Nothing more is sent until someone resumes it. When the endpoint is well again:',
      `millrace consumers resume ${consumerId}`,
    ],
    gone: [
      `Consumer "${name}" has stopped: ${reason}.`,
      'Nothing more is sent until someone resumes it. When there is an endpoint again:',
      `millrace consumers resume ${consumerId}`,
    ],
    recovered: [
      `Consumer "${name}" is delivering again.`,
      'What has waited is being sent now. There is nothing to do.',
      null,
    ],
  };
  const [lead, next, command] = says[kind];
  return { lead, facts, next, command, link };
}

/** Queries and user names of URLs often carry keys. */
function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/gu, (character) => ENTITIES[character] ?? character);
}
