import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Overview } from '../../schema/overview.ts';
import { Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { failureRate } from './failureRate.ts';

type Top = Overview['top'];

/** The consumers that delivered most, failed most and lag most. */
export function TopConsumers({ top }: { top: Top }) {
  const since = (
    <>
      since <TimeText at={top.since} isMinute />
    </>
  );
  return (
    <div className="grid grid-cols-1 items-start gap-4 md:grid-cols-3">
      <TopList title="Busiest" about={since} none="Nothing was delivered.">
        {top.busiest.map((one) => (
          <Line
            key={one.consumer_id}
            id={one.consumer_id}
            name={one.name}
            search={{ outcome: 'delivered' }}
            value={one.delivered}
            most={top.busiest[0]?.delivered ?? 0}
            text={`${number(one.delivered)} delivered`}
            colour="bg-ok"
          />
        ))}
      </TopList>
      <TopList title="Most failing" about={since} none="Nothing failed.">
        {top.failing.map((one) => (
          <Line
            key={one.consumer_id}
            id={one.consumer_id}
            name={one.name}
            search={{ outcome: 'failed' }}
            value={one.failed}
            most={top.failing[0]?.failed ?? 0}
            text={`${number(one.failed)} failed (${failureRate(one) ?? 0} %)`}
            colour="bg-bad"
          />
        ))}
      </TopList>
      <TopList id="laggiest" title="Most lag" about="in the last minute" none="Nothing waits.">
        {top.laggiest.map((one) => (
          <Line
            key={one.consumer_id}
            id={one.consumer_id}
            name={one.name}
            search={{}}
            value={one.entries}
            most={top.laggiest[0]?.entries ?? 0}
            text={`${number(one.entries)} ${one.entries === 1 ? 'entry waits' : 'entries wait'}`}
            colour="bg-accent"
          />
        ))}
      </TopList>
    </div>
  );
}

function TopList(props: {
  id?: string;
  title: string;
  about: ReactNode;
  none: string;
  children: ReactNode[];
}) {
  return (
    <div id={props.id} className="scroll-mt-16">
      <Panel title={props.title} actions={<span className="text-xs text-soft">{props.about}</span>}>
        {props.children.length === 0 && <p className="text-soft">{props.none}</p>}
        {props.children.length > 0 && (
          <ol aria-label={props.title} className="flex flex-col gap-2">
            {props.children}
          </ol>
        )}
      </Panel>
    </div>
  );
}

function Line(props: {
  id: string;
  name: string;
  search: { outcome?: 'delivered' | 'failed' };
  value: number;
  most: number;
  text: string;
  colour: string;
}) {
  const { id, name, search, value, most, text, colour } = props;
  return (
    <li className="flex min-w-0 flex-col gap-0.5">
      <span className="flex min-w-0 items-baseline justify-between gap-2">
        <Link
          to="/consumers/$id"
          params={{ id }}
          className="foreign min-w-0 truncate font-medium hover:underline"
        >
          {name}
        </Link>
        <Link
          to="/consumers/$id"
          params={{ id }}
          search={search}
          className="text-xs whitespace-nowrap text-soft tabular-nums underline"
        >
          {text}
        </Link>
      </span>
      <span aria-hidden className="h-1 rounded-full bg-sunk">
        <span
          className={`block h-1 rounded-full ${colour}`}
          style={{ width: `${Math.max(1, (100 * value) / Math.max(1, most))}%` }}
        />
      </span>
    </li>
  );
}
