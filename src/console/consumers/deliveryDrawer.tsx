import { useMutation, useQuery } from '@tanstack/react-query';

import { requestUrl } from '../../rules/requestUrl.ts';
import type { AttemptTrace } from '../../schema/attemptTrace.ts';
import type { Consumer } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { ActButton } from '../act.tsx';
import { api, messageOf, type Attempt } from '../api.ts';
import { adviceOf } from '../attempts/advice.ts';
import { RequestCode } from '../attempts/requestCode.tsx';
import { answerText, requestText, useTrace } from '../attempts/trace.ts';
import { Waterfall } from '../attempts/waterfall.tsx';
import { useInfo } from '../info.ts';
import { buttonLook } from '../ui/button.tsx';
import { Code, CopyButton } from '../ui/copyText.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Hint } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { useToasts } from '../ui/toast.tsx';
import { number } from '../words.ts';
import { workflowUrl } from '../workflowUrl.ts';
import { AttemptsTimeline } from './attemptsTimeline.tsx';
import { ChangedFields } from './changedFields.tsx';
import { curlOf, type Sent } from './curl.ts';
import { useSentEntry } from './sentEntry.ts';

/** One attempt: the request, the answer, and the other attempts that were made and will be. */
export function DeliveryDrawer(props: {
  attempt: Attempt;
  consumer: Consumer;
  onClose: () => void;
}) {
  const { attempt, consumer, onClose } = props;
  const { data: info } = useInfo();
  const trace = useTrace(attempt);
  const toasts = useToasts();
  const target = useQuery({
    queryKey: ['target', consumer.target_id],
    queryFn: () => api.targets.get(consumer.target_id),
  });
  const entry = useSentEntry(attempt, consumer.stream);
  const body = entry.data?.body ?? null;
  const resend = useMutation({
    mutationFn: () => api.consumers.resend(consumer.id, attempt.position),
    onSuccess: () => toasts.done('The entry is queued to be sent again.'),
    onError: toasts.refused,
  });
  const url = requestUrl(target.data?.base_url ?? '', consumer.path) ?? '';
  const sent: Sent | null =
    body === null
      ? null
      : {
          url,
          headers: {
            'content-type': 'application/json',
            ...target.data?.headers,
            'millrace-consumer': consumer.id,
            'millrace-position': String(attempt.position),
            'millrace-attempt': String(attempt.attempt),
          },
          messageId: attempt.message_id,
          body,
        };
  const temporal = workflowUrl(info, consumer.workflow_id);
  const { error_code: code, status } = attempt;
  const advice = adviceOf({ code, status }, trace?.url ?? url);
  return (
    <Drawer
      open
      onClose={onClose}
      title={
        <span className="inline-flex items-center gap-2">
          <StatusBadge status={attempt.outcome} />
          {attempt.status ?? attempt.error_code} at position {number(attempt.position)}
        </span>
      }
      description={<span className="font-mono text-xs">{attempt.message_id}</span>}
    >
      <div className="flex flex-wrap gap-2">
        {sent !== null && <CopyButton text={curlOf(sent)} label="Copy as cURL" />}
        <ActButton needs="manage" busy={resend.isPending} onClick={() => resend.mutate()}>
          Resend this entry
        </ActButton>
        {temporal !== null && (
          <a href={temporal} target="_blank" rel="noreferrer" className={buttonLook()}>
            Workflow in Temporal
          </a>
        )}
      </div>
      <Facts
        facts={[
          ['Started', <TimeText key="s" at={attempt.started_at} />],
          ['Ended', <TimeText key="e" at={endOf(attempt)} />],
          ['Duration', `${number(attempt.duration_ms)} ms`],
          ['Attempt', String(attempt.attempt)],
          attempt.error_code === null ? null : ['Error', attempt.error_code],
          attempt.next_attempt_at === null
            ? null
            : ['Next attempt, as planned then', <TimeText key="n" at={attempt.next_attempt_at} />],
        ]}
      />
      {advice !== null && <Hint tone="bad">{advice}</Hint>}
      {trace != null && <Waterfall timings={trace.timings} />}
      <AttemptsTimeline attempt={attempt} consumer={consumer} />
      {entry.data != null && <ChangedFields text={entry.data.text} />}
      {trace === null && sent !== null && (
        <>
          <RequestCode
            label="Request, rebuilt"
            body={sent.body}
            text={(shown) => rebuiltText(sent, shown)}
          />
          <Rebuilt isOlder={isOlder(attempt, target.data)} />
        </>
      )}
      {trace != null && (
        <RequestCode label="Request" body={body} text={(shown) => requestText(trace, shown)} />
      )}
      {entry.error !== null && <Hint tone="warn">{messageOf(entry.error)}</Hint>}
      {entry.data === null && (
        <Hint>
          The record has changed since this version was sent. The stream keeps only the latest
          version, so this body is no longer kept.
        </Hint>
      )}
      {consumer.stream === 'events' && attempt.event_id === null && (
        <Hint>The event is older than the retention, so its body is no longer kept.</Hint>
      )}
      {trace !== undefined && <Code label="Response" text={responseText(attempt, trace)} />}
    </Drawer>
  );
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

function responseText({ status, response_head }: Attempt, trace: AttemptTrace | null): string {
  if (trace !== null) return answerText(trace, status, response_head);
  if (response_head !== null) return response_head;
  return status === null ? '(no response)' : `HTTP ${status}\n\n(the rest was not kept)`;
}

function endOf({ started_at, duration_ms }: Attempt): string {
  return new Date(Date.parse(started_at) + duration_ms).toISOString();
}

function rebuiltText({ url, headers, messageId }: Sent, body: string | null): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`POST ${url}`, ...lines, `webhook-id: ${messageId}`, '', body ?? ''].join('\n');
}
