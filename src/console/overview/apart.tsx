import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import type { ConsumerWith } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { ConsumerName } from '../consumerName.tsx';
import { tabWith } from '../consumers/asideTab.ts';
import { Failed, Loading } from '../ui/notice.tsx';
import { amount, number } from '../words.ts';

const EVERY_MS = 5_000;
const SHOWN = 5;

/** Some of the consumers with parked entries or dead letters, each a link to these, and a link to all. */
export function Apart({ has, title }: { has: ConsumerWith; title: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['consumers', 'overview', has],
    queryFn: () => api.consumers.list({ has, limit: SHOWN }),
    refetchInterval: EVERY_MS,
  });
  const isParked = has === 'parked';
  return (
    <section className="flex min-w-0 flex-col gap-2">
      <h3 className="font-semibold">{title}</h3>
      {data === undefined && error === null && <Loading what="consumers" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      <ul className="flex flex-col gap-1">
        {data?.data.map(({ id, name, parked, dead_letters }) => (
          <li key={id} className="flex min-w-0 items-baseline justify-between gap-2">
            <ConsumerName id={id} known={name} tab={tabWith(has)} />
            <span className="text-xs whitespace-nowrap text-soft tabular-nums">
              {isParked ? `${number(parked)} parked` : amount(dead_letters, 'dead letter')}
            </span>
          </li>
        ))}
      </ul>
      {data !== undefined && data.next_cursor !== null && (
        <Link
          to={isParked ? '/consumers' : '/dead-letters'}
          search={isParked ? { has } : {}}
          className="underline"
        >
          Show all
        </Link>
      )}
    </section>
  );
}
