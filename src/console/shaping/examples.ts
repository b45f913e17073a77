import type { StreamName } from '../../schema/stream.ts';

/** An expression to begin with, and what it means. */
export interface Example {
  expression: string;
  means: string;
}

/** Conditions that fit the entries of a stream. */
export const CONDITIONS: Record<StreamName, readonly Example[]> = {
  events: [
    { expression: 'event.data.amount > 100', means: 'a number above a limit' },
    {
      expression: 'event.data.country in ["DE", "AT"]',
      means: 'one of several values',
    },
    {
      expression: 'changes != null && "email" in changes',
      means: 'updates that changed a field',
    },
  ],
  records: [
    { expression: 'record.data.amount > 100', means: 'a number above a limit' },
    {
      expression: 'record.data.country in ["DE", "AT"]',
      means: 'one of several values',
    },
    {
      expression: '!record.deleted && has(record.data.email)',
      means: 'records that exist and have a field',
    },
  ],
};

/** Bodies that fit the entries of a stream. */
export const BODIES: Record<StreamName, readonly Example[]> = {
  events: [
    {
      expression: '{"text": event.upstream_id + " was " + event.event}',
      means: 'a message for Slack or Teams',
    },
    {
      expression: '{"id": event.upstream_id, "email": event.data.?email.orValue(null)}',
      means: 'a flat object; null where a field is missing',
    },
  ],
  records: [
    {
      expression: '{"text": record.upstream_id + " has changed"}',
      means: 'a message for Slack or Teams',
    },
    {
      expression: '{"id": record.upstream_id, "email": record.data.?email.orValue(null)}',
      means: 'a flat object; null where a field is missing',
    },
  ],
};
