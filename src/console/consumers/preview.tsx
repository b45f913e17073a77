import { useQuery } from '@tanstack/react-query';

import type { Filter } from '../../schema/consumer.ts';
import type { PreviewInput } from '../../schema/preview.ts';
import type { StreamName } from '../../schema/stream.ts';
import { api } from '../api.ts';
import { useSettled } from '../settled.ts';
import { ErrorText, Hint } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { number } from '../words.ts';

interface Entry {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  event?: string;
  deleted?: boolean;
  position?: number;
  updated_idx?: number;
}

const LAST = 1_000;

/** What a filter would have matched among the last 1,000 entries, as it is edited. */
export function FilterPreview({ stream, filter }: { stream: StreamName; filter: Filter }) {
  const text = JSON.stringify({ stream, ...filter, last: LAST });
  const asked = JSON.parse(useSettled(text)) as Partial<PreviewInput>;
  const { data, error, isFetching } = useQuery({
    queryKey: ['preview', asked],
    queryFn: () => api.consumers.preview(asked),
    placeholderData: (before) => before,
    refetchInterval: 5_000,
    retry: false,
  });
  return (
    <Panel title="Preview">
      {error !== null && (
        <Hint tone="warn">
          <ErrorText error={error} />
        </Hint>
      )}
      {data !== undefined && (
        <>
          <p aria-live="polite" aria-busy={isFetching}>
            {data.scanned === 0 ? (
              `The ${stream} stream is empty: nothing to try the filter on yet.`
            ) : (
              <>
                <strong className="text-base tabular-nums">{number(data.matched)}</strong> of the
                last {number(data.scanned)} {stream} would have been sent (
                {Number(((data.matched / data.scanned) * 100).toFixed(1))} %).
              </>
            )}
          </p>
          <div aria-hidden className="h-1.5 overflow-hidden rounded bg-sunk">
            <div
              className="h-full bg-accent"
              style={{ width: `${data.scanned === 0 ? 0 : (data.matched / data.scanned) * 100}%` }}
            />
          </div>
          <ul className="flex flex-col gap-1 text-xs">
            {(data.sample as Entry[]).map((entry) => (
              <li key={entry.position ?? entry.updated_idx} className="foreign truncate">
                <span className="text-soft">
                  {entry.event ?? (entry.deleted === true ? 'deleted' : 'record')}
                </span>{' '}
                {entry.collection_id} <span className="font-mono">{entry.upstream_id}</span>{' '}
                <span className="text-soft">{entry.sync_id}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}
