import type { ReactNode } from 'react';

import type { Range } from './ranges.ts';
import { Failed, Loading } from './ui/notice.tsx';
import { Panel } from './ui/panel.tsx';
import { RangeChoice } from './ui/rangeChoice.tsx';

/** The panel of charts with the choice of their range; `children` shows the series once they are read. */
export function OverTime<D>(props: {
  range: Range;
  onRange: (range: Range) => void;
  query: { data: D | undefined; error: Error | null; refetch: () => unknown };
  children: (data: D) => ReactNode;
}) {
  const { range, onRange, query, children } = props;
  const { data, error, refetch } = query;
  return (
    <Panel title="Over time" actions={<RangeChoice value={range} onChange={onRange} />}>
      {data === undefined && error === null && <Loading what="charts" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data !== undefined && children(data)}
    </Panel>
  );
}
