import type { AttemptTrace } from '../../schema/attemptTrace.ts';
import type { Consumer } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { messageOf, type Attempt } from '../api.ts';
import { RequestCode } from '../attempts/requestCode.tsx';
import { requestText } from '../attempts/trace.ts';
import { prettyText } from '../pretty.ts';
import { Code } from '../ui/copyText.tsx';
import { Hint } from '../ui/notice.tsx';
import type { Sent } from './curl.ts';

/** The request of an attempt, as it was kept or as it can be rebuilt, and otherwise the entry of which it was made. */
export function SentRequest(props: {
  attempt: Attempt;
  consumer: Consumer;
  /** Null: none was kept; undefined while it is read. */
  trace: AttemptTrace | null | undefined;
  /** The request with its body; null where the body can't be told. */
  sent: Sent | null;
  /** The JSON of the entry; null when the record has a newer version. */
  entry: string | null | undefined;
  unread: Error | null;
  target: Target | undefined;
}) {
  const { attempt, consumer, trace, sent, entry, unread, target } = props;
  const isWhole = sent !== null;
  return (
    <>
      {trace === null && isWhole && (
        <>
          <RequestCode
            label="Request, rebuilt"
            body={sent.body}
            text={(shown) => rebuiltText(sent, shown)}
          />
          <Rebuilt isOlder={isOlder(attempt, target)} />
        </>
      )}
      {trace != null && (
        <RequestCode
          label="Request"
          body={sent?.body ?? null}
          text={(shown) => requestText(trace, shown)}
        />
      )}
      {trace !== undefined && entry != null && !isWhole && (
        <>
          <Code label="The entry" text={entry} formatted={prettyText(entry)} />
          {attempt.error_code !== 'BODY_FAILED' && <Hint>{notWhole(attempt, consumer)}</Hint>}
        </>
      )}
      {unread !== null && <Hint tone="warn">{messageOf(unread)}</Hint>}
      {entry === null && (
        <Hint>
          The record has changed since this version was sent. The stream keeps only the latest
          version, so this body is no longer kept.
        </Hint>
      )}
      {consumer.stream === 'events' && attempt.event_id === null && (
        <Hint>The event is older than the retention, so its body is no longer kept.</Hint>
      )}
    </>
  );
}

/** Why the entry is shown in the place of what was sent. */
function notWhole({ batch_size }: Attempt, { body }: Consumer): string {
  if (batch_size > 1)
    return 'The request carried this entry with others. Bodies of batches are not kept.';
  return body.mode === 'full'
    ? 'What was sent was made of this entry, by a setting of the body that has been changed since. It is not kept.'
    : 'What was sent was made of this entry by the body in the settings. It is not kept.';
}

/** Says that the request was rebuilt, and is not a record of what was sent. */
function Rebuilt({ isOlder }: { isOlder: boolean }) {
  return (
    <Hint tone={isOlder ? 'warn' : 'accent'}>
      {isOlder
        ? 'The target has been changed since this attempt. The body is what was sent; URL and headers are what would be sent today.'
        : 'The body is what was sent. URL and headers are those of the target and the consumer as they are today. The original request is kept for failures, for retries, and for a sample of the successes.'}
    </Hint>
  );
}

function isOlder({ started_at }: Attempt, target: Target | undefined): boolean {
  return target !== undefined && Date.parse(target.updated_at) > Date.parse(started_at);
}

function rebuiltText({ url, headers, messageId }: Sent, body: string | null): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`POST ${url}`, ...lines, `webhook-id: ${messageId}`, '', body ?? ''].join('\n');
}
