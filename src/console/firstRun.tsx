import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import type { Attempt } from '../schema/attempt.ts';
import type { Consumer } from '../schema/consumer.ts';
import { ActButton } from './act.tsx';
import { api } from './api.ts';
import { adviceOf } from './attempts/advice.ts';
import { useFirstActs, type FirstActs } from './firstRun/acts.ts';
import { NewSecret } from './firstRun/newSecret.tsx';
import { ArrivalStep, ConsumerStep, SampleStep, TargetStep } from './firstRun/steps.tsx';
import { useInfo } from './info.ts';
import { buttonLook } from './ui/button.tsx';
import { Unsaved } from './ui/notice.tsx';
import { PageHead } from './ui/panel.tsx';
import { StatusBadge } from './ui/statusBadge.tsx';

const LOOK_MS = 1_000;

/** Leads from nothing to a webhook that arrives, in four steps. */
export function FirstRun() {
  const { data: info } = useInfo();
  const { target, consumer, arrived } = useProgress();
  const { createTarget, createConsumer, sendSample, sendChange, error } = useFirstActs();
  const receiver = info?.dev_receiver_url ?? null;
  const hasArrived = arrived !== undefined;

  return (
    <>
      <PageHead
        title="Send your first webhook"
        below={<p className="text-soft">Four steps, about a minute.</p>}
      />
      <Unsaved error={error} />
      <NewSecret />
      <ol className="flex max-w-3xl flex-col gap-3">
        <TargetStep target={target} receiver={receiver} create={createTarget} />
        <ConsumerStep target={target} consumer={consumer} create={createConsumer} />
        <SampleStep consumer={consumer} hasArrived={hasArrived} send={sendSample} />
        <ArrivalStep
          isSent={sendSample.isSuccess}
          hasArrived={hasArrived}
          isDelivered={arrived?.outcome === 'delivered'}
        />
      </ol>
      {arrived !== undefined && consumer !== undefined && (
        <Arrived
          attempt={arrived}
          consumer={consumer}
          url={target?.base_url ?? ''}
          receiver={receiver !== null && target?.base_url === receiver ? receiver : null}
          sendChange={sendChange}
        />
      )}
    </>
  );
}

/** The progress of the first run: the first target, the first consumer and its first attempt. */
function useProgress() {
  const targets = useQuery({
    queryKey: ['targets', 'first'],
    queryFn: () => api.targets.list({ limit: 1 }),
  });
  const consumers = useQuery({
    queryKey: ['consumers', 'first'],
    queryFn: () => api.consumers.list({ limit: 1 }),
  });
  const consumer = consumers.data?.data[0];
  const attempts = useQuery({
    queryKey: ['attempts', consumer?.id, 'arrived'],
    queryFn: () => api.consumers.attempts(consumer?.id ?? '', { limit: 1 }),
    enabled: consumer !== undefined,
    refetchInterval: LOOK_MS,
    retry: false,
  });
  return { target: targets.data?.data[0], consumer, arrived: attempts.data?.data[0] };
}

/** How the endpoint answered, and what to do next. `receiver`: the built-in receiver, if the webhooks go there. */
function Arrived(props: {
  attempt: Attempt;
  consumer: Consumer;
  /** Where it was sent to. */
  url: string;
  receiver: string | null;
  sendChange: FirstActs['sendChange'];
}) {
  const { attempt, consumer, url, receiver, sendChange } = props;
  const advice = adviceOf({ code: attempt.error_code, status: attempt.status }, url);
  return (
    <div className="flex max-w-3xl flex-wrap items-center gap-3" role="status">
      <StatusBadge status={attempt.outcome} />
      <span>
        {attempt.status ?? attempt.error_code} in {attempt.duration_ms} ms
      </span>
      {advice !== null && <p className="foreign w-full">{advice}</p>}
      <ActButton
        needs="ingest"
        kind="main"
        busy={sendChange.isPending}
        onClick={() => sendChange.mutate(consumer)}
      >
        Send a change of it
      </ActButton>
      <Link to="/consumers/$id" params={{ id: consumer.id }} className={buttonLook()}>
        Open the consumer
      </Link>
      {receiver === null && (
        <Link
          to="/targets/$id"
          params={{ id: consumer.target_id }}
          search={{ tab: 'verify' }}
          className={buttonLook()}
        >
          Verify the signature
        </Link>
      )}
      {receiver !== null && (
        <a
          href={new URL('/', receiver).href}
          target="_blank"
          rel="noreferrer"
          className={buttonLook()}
        >
          Open the receiver
        </a>
      )}
    </div>
  );
}
