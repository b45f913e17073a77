import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api } from '../api.ts';
import { rangeSince, type Range } from '../ranges.ts';

/** The range with which the charts of a target begin: it holds the beginning of its oldest trouble, as it was first read. */
export function useFirstRange(targetId: string): Range {
  const { data } = useQuery({
    queryKey: ['troubles', targetId],
    queryFn: () => api.targets.troubles(targetId),
  });
  const [range, setRange] = useState<Range | null>(null);
  if (range === null && data !== undefined) {
    const begun = data.data.flatMap(({ since }) => (since === null ? [] : [since]));
    const [oldest = null] = begun.toSorted((a, b) => Date.parse(a) - Date.parse(b));
    setRange(rangeSince(oldest, Date.now()));
  }
  return range ?? '1h';
}
