import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Consumer } from '../schema/consumer.ts';
import type { Target } from '../schema/target.ts';
import { ActButton, ActLink } from './act.tsx';
import { api } from './api.ts';
import { useInfo } from './info.ts';
import { buttonLook } from './ui/button.tsx';
import { Unsaved } from './ui/notice.tsx';
import { PageHead } from './ui/panel.tsx';
import { StatusBadge } from './ui/statusBadge.tsx';

const LOOK_MS = 1_000;

/** From nothing to a webhook that arrives, in four steps. */
export function FirstRun() {
  const queries = useQueryClient();
  const { data: info } = useInfo();
  const targets = useQuery({
    queryKey: ['targets', 'first'],
    queryFn: () => api.targets.list({ limit: 1 }),
  });
  const consumers = useQuery({
    queryKey: ['consumers', 'first'],
    queryFn: () => api.consumers.list({ limit: 1 }),
  });
  const target = targets.data?.data[0];
  const consumer = consumers.data?.data[0];
  const attempts = useQuery({
    queryKey: ['attempts', consumer?.id, 'arrived'],
    queryFn: () => api.consumers.attempts(consumer?.id ?? '', { limit: 1 }),
    enabled: consumer !== undefined,
    refetchInterval: LOOK_MS,
    retry: false,
  });
  const arrived = attempts.data?.data[0];
  const makeTarget = useMutation({
    mutationFn: (base_url: string) => api.targets.create({ name: 'Built-in receiver', base_url }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['targets'] }),
  });
  const makeConsumer = useMutation({
    mutationFn: ({ id }: Target) =>
      api.consumers.create({ name: 'My first consumer', target_id: id, stream: 'events' }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['consumers'] }),
  });
  const sample = useMutation({ mutationFn: (to: Consumer) => sendSample(to) });
  const receiver = info?.dev_receiver_url ?? null;
  const error = makeTarget.error ?? makeConsumer.error ?? sample.error;

  return (
    <>
      <PageHead
        title="Send your first webhook"
        below={<p className="text-soft">Four steps, about a minute.</p>}
      />
      <Unsaved error={error} />
      <ol className="flex max-w-3xl flex-col gap-3">
        <Step
          at={1}
          title="Create a target"
          isDone={target !== undefined}
          text="The endpoint that webhooks go to, with its credentials."
          done={target?.name}
        >
          {receiver !== null && (
            <ActButton
              needs="manage"
              kind="main"
              busy={makeTarget.isPending}
              onClick={() => makeTarget.mutate(receiver)}
            >
              Use the built-in receiver
            </ActButton>
          )}
          <ActLink needs="manage" title="My own endpoint">
            <Link to="/targets/new" className={buttonLook(receiver === null ? 'main' : 'plain')}>
              My own endpoint
            </Link>
          </ActLink>
        </Step>
        <Step
          at={2}
          title="Create a consumer"
          isDone={consumer !== undefined}
          isWaiting={target === undefined}
          text="It sends what matches its filter to the target, from the moment it is saved."
          done={consumer?.name}
        >
          {target !== undefined && (
            <>
              <ActButton
                needs="manage"
                kind="main"
                busy={makeConsumer.isPending}
                onClick={() => makeConsumer.mutate(target)}
              >
                Send every event to {target.name.slice(0, 40)}
              </ActButton>
              <ActLink needs="manage" title="Choose what is sent">
                <Link to="/consumers/new" search={{ target: target.id }} className={buttonLook()}>
                  Choose what is sent
                </Link>
              </ActLink>
            </>
          )}
        </Step>
        <Step
          at={3}
          title="Send a sample event"
          isDone={sample.isSuccess || arrived !== undefined}
          isWaiting={consumer === undefined}
          text="An event of a made-up customer is appended to the events stream."
          done="sent"
        >
          {consumer !== undefined && (
            <ActButton
              needs="ingest"
              kind="main"
              busy={sample.isPending}
              onClick={() => sample.mutate(consumer)}
            >
              Send a sample event
            </ActButton>
          )}
        </Step>
        <Step
          at={4}
          title="See it arrive"
          isDone={arrived?.outcome === 'delivered'}
          isWaiting={!sample.isSuccess && arrived === undefined}
          text={
            arrived === undefined && sample.isSuccess
              ? 'Waiting for the delivery…'
              : 'The delivery appears here by itself.'
          }
          done="delivered"
        />
      </ol>
      {arrived !== undefined && consumer !== undefined && (
        <div className="flex max-w-3xl flex-wrap items-center gap-3" role="status">
          <StatusBadge status={arrived.outcome} />
          <span>
            {arrived.status ?? arrived.error_code} in {arrived.duration_ms} ms
          </span>
          <Link to="/consumers/$id" params={{ id: consumer.id }} className={buttonLook('main')}>
            Look at the consumer
          </Link>
          {receiver !== null && (
            <a
              href={new URL('/', receiver).href}
              target="_blank"
              rel="noreferrer"
              className={buttonLook()}
            >
              What the receiver got
            </a>
          )}
        </div>
      )}
    </>
  );
}

interface StepProps {
  at: number;
  title: string;
  text: string;
  isDone: boolean;
  isWaiting?: boolean;
  done?: string | undefined;
  children?: ReactNode;
}

function Step({ at, title, text, isDone, isWaiting = false, done, children }: StepProps) {
  return (
    <li
      aria-current={!isDone && !isWaiting ? 'step' : undefined}
      className={`flex gap-3 rounded-lg border bg-panel p-3 ${!isDone && !isWaiting ? 'border-accent' : 'border-line'}`}
    >
      <span
        aria-hidden
        className={`flex size-7 shrink-0 items-center justify-center rounded-full font-semibold ${isDone ? 'bg-ok-soft text-ok' : isWaiting ? 'bg-sunk text-soft' : 'bg-accent text-accent-ink'}`}
      >
        {isDone ? '✓' : at}
      </span>
      <div className="flex min-w-0 flex-1 flex-col gap-2">
        <div>
          <h2 className="font-semibold">
            {title}
            {isDone && <span className="foreign ml-2 font-normal text-ok">{done}</span>}
          </h2>
          <p className="text-soft">{text}</p>
        </div>
        {!isDone && !isWaiting && children !== undefined && (
          <div className="flex flex-wrap gap-2">{children}</div>
        )}
      </div>
    </li>
  );
}

/** An event that passes the consumer's filter, as far as one can tell. */
function sendSample({ syncs, collections }: Consumer) {
  const now = new Date().toISOString();
  return api.append.events([
    {
      sync_id: syncs[0] === '*' ? 'sample' : (syncs[0] ?? 'sample'),
      collection_id:
        collections[0] === '*' ? 'sample:customer' : (collections[0] ?? 'sample:customer'),
      upstream_id: 'cus_1',
      event: 'created',
      data: { id: 'cus_1', name: 'Ada Lovelace', created_at: now },
    },
  ]);
}
