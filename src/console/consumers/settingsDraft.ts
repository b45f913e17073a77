import type { Consumer, ConsumerPatch, Ordering } from '../../schema/consumer.ts';

/** The fields of a consumer's settings; they are texts until they are sent. */
export interface SettingsDraft {
  name: string;
  path: string;
  ordering: Ordering;
  emails: string;
}

/** The settings of a consumer as a form. */
export function draftOf({ name, path, ordering, alert_emails }: Consumer): SettingsDraft {
  return { name, path, ordering, emails: alert_emails.join('\n') };
}

/** The fields that are sent: only those that were changed. */
export function patchOf(draft: SettingsDraft, changed: (keyof SettingsDraft)[]): ConsumerPatch {
  const all = { ...draft, name: draft.name.trim() };
  return Object.fromEntries(
    changed.map((name) =>
      name === 'emails' ? ['alert_emails', emailsIn(draft.emails)] : [name, all[name]],
    ),
  );
}

/** The addresses in a text with one in each line. */
export function emailsIn(text: string): string[] {
  return text.split(/[\s,]+/u).filter((email) => email !== '');
}
