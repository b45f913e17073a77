import type { ConsumerBody } from '../../schema/body.ts';
import type { Consumer, ConsumerPatch, Ordering } from '../../schema/consumer.ts';
import { batchDraft, batchInput, type BatchDraft } from '../shaping/batches.ts';
import { bodyInput } from '../shaping/bodies.ts';

/** The fields of a consumer's settings; they are texts until they are sent. */
export interface SettingsDraft {
  name: string;
  path: string;
  ordering: Ordering;
  body: ConsumerBody;
  /** The limits of batches; null: each request carries one entry. */
  batch: BatchDraft | null;
  emails: string;
}

/** The settings of a consumer as a form. */
export function draftOf(consumer: Consumer): SettingsDraft {
  const { name, path, ordering, body, batch, alert_emails } = consumer;
  return { name, path, ordering, body, batch: batchDraft(batch), emails: alert_emails.join('\n') };
}

/** The fields that are sent: only those that were changed. */
export function patchOf(draft: SettingsDraft, changed: (keyof SettingsDraft)[]): ConsumerPatch {
  const all = {
    ...draft,
    name: draft.name.trim(),
    body: bodyInput(draft.body),
    batch: batchInput(draft.batch),
  };
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
