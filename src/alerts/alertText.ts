import type { AlertKind, ConsumerAlertKind, SourceAlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';
import { sectionsOf, targetsOf, type Section } from './alertSections.ts';
import { sayingOf } from './alertWords.ts';
import { isOfSource, type SourceItem } from './sourceItem.ts';
import { sourceSections, sourceSubject } from './sourceText.ts';

/** The subject of a mail: the kind of alert, and the consumer and the target or how many there are. */
export function mailSubject(kind: ConsumerAlertKind, items: readonly AlertItem[]): string {
  const [first] = items;
  const who = items.length === 1 ? first?.name : `${items.length} consumers`;
  const targets = targetsOf(items);
  const where = targets > 1 ? `${targets} targets` : first?.target;
  return `${sayingOf(kind, first).subject}: ${who} → ${where}`.replaceAll(/\p{Cc}/gu, ' ');
}

/** The plain text of a mail: a section for each consumer, after one for what several have in common. */
export function mailText(kind: ConsumerAlertKind, items: readonly AlertItem[]): string {
  return textOf(sectionsOf(kind, items));
}

/** The HTML of a mail, in the same words as its text; everything from outside is escaped. */
export function mailHtml(kind: ConsumerAlertKind, items: readonly AlertItem[]): string {
  return htmlOf(sectionsOf(kind, items));
}

/** The text of a message for Slack, in the words of the mail; everything from outside is escaped. */
export function slackText(kind: ConsumerAlertKind, items: readonly AlertItem[]): string {
  return slackOf(sectionsOf(kind, items));
}

/** The plain text of one alert by its kind and its facts as they are stored. */
export function alertText(kind: AlertKind, detail: object): string {
  return isOfSource(kind)
    ? textOf(sourceSections(kind, detail as SourceItem))
    : mailText(kind, [detail as AlertItem]);
}

/** Sections as plain text. */
export function textOf(sections: readonly Section[]): string {
  const parts = sections.map(({ lead, link, facts, next, commands }) => {
    const where = link === null ? [] : [link.before, `  ${link.url}`];
    const named = facts.map(([name, value]) => `${`${name}:`.padEnd(15)}${value}`);
    const ways = commands.map((command) => `  ${command}`);
    return [lead ?? '', ...where, named.join('\n'), ...next, ways.join('\n')];
  });
  return `${parts
    .flat()
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

const BOX = 'border:1px solid #8884;border-radius:4px';
const BUTTON = `${BOX};border-color:currentcolor;display:inline-block;padding:8px 14px;color:inherit;text-decoration:none;font-weight:600`;
const CELL = 'padding:2px 16px 2px 0;vertical-align:top;text-align:left';

/** Sections as a page of HTML. It names no colour of text or ground, so that it is readable in light and dark. */
export function htmlOf(sections: readonly Section[]): string {
  const parts = sections.map(({ lead, link, facts, next, commands }) => {
    const rows = facts.map(
      ([name, value]) =>
        `<tr><th scope="row" style="${CELL};font-weight:normal;white-space:nowrap;opacity:0.7">${escape(name)}</th>` +
        `<td style="${CELL};overflow-wrap:anywhere">${escape(value)}</td></tr>`,
    );
    const lines: string[] = [];
    if (lead !== null) lines.push(`<p style="font-size:17px"><strong>${escape(lead)}</strong></p>`);
    if (link !== null)
      lines.push(
        `<p>${escape(link.before)}</p>`,
        `<p><a href="${escape(link.url)}" style="${BUTTON}">${escape(link.label)}</a></p>`,
      );
    if (rows.length > 0)
      lines.push(`<table style="border-collapse:collapse">${rows.join('')}</table>`);
    for (const one of next) lines.push(`<p>${escape(one)}</p>`);
    for (const command of commands)
      lines.push(
        `<pre style="${BOX};padding:8px 12px;overflow-x:auto;white-space:pre-wrap">${escape(command)}</pre>`,
      );
    return lines.join('\n');
  });
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">',
    '<style>:root{color-scheme:light dark}</style></head>',
    '<body style="font:15px/1.5 system-ui,sans-serif;max-width:680px;margin:16px">',
    parts.join('\n<hr style="border:0;border-top:1px solid #8886;margin:20px 0">\n'),
    '</body></html>',
  ].join('\n');
}

/** Sections as Slack's mrkdwn. Text that might be mistaken for a link is written as code. */
export function slackOf(sections: readonly Section[]): string {
  const parts = sections.map(({ lead, link, facts, next, commands }) => {
    const lines: string[] = [];
    if (lead !== null) lines.push(`*${slackEscape(lead)}*`);
    if (link !== null)
      lines.push(slackEscape(link.before), `<${slackEscape(link.url)}|${slackEscape(link.label)}>`);
    for (const [name, value] of facts)
      lines.push(`${name}: ${/^https?:/u.test(value) ? code(value) : slackEscape(value)}`);
    lines.push(...next.map((one) => slackEscape(one)));
    lines.push(...commands.map(code));
    return lines.join('\n');
  });
  return parts.join('\n\n');
}

function code(text: string): string {
  return `\`${slackEscape(text).replaceAll('`', "'")}\``;
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

/** The three characters that Slack asks to be escaped; others stay as they are. */
function slackEscape(text: string): string {
  return text.replaceAll(/[&<>]/gu, (character) => ENTITIES[character] ?? character);
}

/** The columns of a mail's row that depend on what it tells of. */
export type Written = [items: string, subject: string, body: string, html: string, headers: string];

/** The columns of a mail about consumers. */
export function written(kind: ConsumerAlertKind, items: AlertItem[]): Written {
  const headers = {
    // The header has five documented values.
    'X-Millrace-Alert': kind === 'retention' || kind === 'certificate' ? 'warning' : kind,
    'X-Millrace-Consumer': items.map((item) => item.consumer_id).join(', '),
  };
  return [
    JSON.stringify(items),
    mailSubject(kind, items),
    mailText(kind, items),
    mailHtml(kind, items),
    JSON.stringify(headers),
  ];
}

/** The columns of a mail about a source; it has no items, as it is never shared and never changed. */
export function writtenOfSource(kind: SourceAlertKind, item: SourceItem): Written {
  const sections = sourceSections(kind, item);
  const headers = { 'X-Millrace-Alert': kind, 'X-Millrace-Source': item.source_id };
  const html = htmlOf(sections);
  return ['[]', sourceSubject(kind, item), textOf(sections), html, JSON.stringify(headers)];
}
