import { useMutation, useQuery } from '@tanstack/react-query';

import { requestUrl } from '../../rules/requestUrl.ts';
import type { AttemptTrace } from '../../schema/attemptTrace.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { api, type Attempt } from '../api.ts';
import { adviceOf } from '../attempts/advice.ts';
import { answerText, useTrace } from '../attempts/trace.ts';
import { TraceIds } from '../attempts/traceIds.tsx';
import { UnmadeBody } from '../attempts/unmadeBody.tsx';
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
import { sentBody } from './sentBody.ts';
import { useSentEntry } from './sentEntry.ts';
import { SentRequest } from './sentRequest.tsx';

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
  const { data: entry, error: unread } = useSentEntry(attempt, consumer.stream);
  const body = entry == null ? null : sentBody(entry, attempt, consumer, trace ?? null);
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
  const isUnmade = code === 'BODY_FAILED';
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
          attempt.batch_size === 1
            ? null
            : ['Batch', `one of ${number(attempt.batch_size)} entries of this request`],
          attempt.trace_id === null ? null : ['Trace', <TraceIds key="t" attempt={attempt} />],
          attempt.error_code === null ? null : ['Error', attempt.error_code],
          attempt.next_attempt_at === null
            ? null
            : ['Next attempt, as planned then', <TimeText key="n" at={attempt.next_attempt_at} />],
        ]}
      />
      {isUnmade && <UnmadeBody attempt={attempt} />}
      {advice !== null && !isUnmade && <Hint tone="bad">{advice}</Hint>}
      {trace != null && <Waterfall timings={trace.timings} />}
      <AttemptsTimeline attempt={attempt} consumer={consumer} />
      {entry != null && <ChangedFields text={entry} />}
      <SentRequest {...{ attempt, consumer, trace, sent, entry, unread }} target={target.data} />
      {trace !== undefined && !isUnmade && (
        <Code label="Response" text={responseText(attempt, trace)} />
      )}
    </Drawer>
  );
}

function responseText({ status, response_head }: Attempt, trace: AttemptTrace | null): string {
  if (trace !== null) return answerText(trace, status, response_head);
  if (response_head !== null) return response_head;
  return status === null ? '(no response)' : `HTTP ${status}\n\n(the rest was not kept)`;
}

function endOf({ started_at, duration_ms }: Attempt): string {
  return new Date(Date.parse(started_at) + duration_ms).toISOString();
}
