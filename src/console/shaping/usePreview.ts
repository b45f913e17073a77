import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { ConsumerBody } from '../../schema/body.ts';
import type { Preview, PreviewInput } from '../../schema/preview.ts';
import type { StreamName } from '../../schema/stream.ts';
import { api } from '../api.ts';
import { useSettled } from '../settled.ts';
import { batchFaults, batchInput, FIRST_BATCH, type BatchDraft } from './batches.ts';
import { bodyFaults, bodyInput } from './bodies.ts';
import { expressionFault, lengthFault, type ExpressionFault } from './expressionFault.ts';

/** How many of the newest entries are tried. */
const LAST = 1_000;
/** Conditions read the whole entries, so they are tried anew less often. */
const AGAIN_MS = { lists: 5_000, condition: 20_000 };

/** What is tried: a filter, and how the body of the newest match is made. */
export type Tried = Pick<PreviewInput, 'stream' | 'syncs' | 'collections' | 'event_types'> &
  Partial<Pick<PreviewInput, 'where' | 'body' | 'batch'>>;

/**
 * The body, and whether it goes in a batch, as they are tried: only once nothing is wrong with the body that can be known
 * without trying. What is sent of one entry is the same within whatever limits.
 */
export function triedShape(
  { body, batch }: { body: ConsumerBody; batch: BatchDraft | null },
  stream: StreamName,
): Pick<Tried, 'body' | 'batch'> {
  if (Object.keys(bodyFaults(body, stream)).length > 0) return {};
  const isFaulty = Object.keys(batchFaults(batch)).length > 0;
  return { body: bodyInput(body), batch: batchInput(isFaulty ? FIRST_BATCH : batch) };
}

/** What came of it. */
export interface PreviewState {
  /** The last answer; undefined before the first one. */
  data: Preview | undefined;
  isFetching: boolean;
  error: Error | null;
  /** Where the condition, or the expression of the body, is wrong. */
  conditionFault: ExpressionFault | null;
  /** What else is wrong with the condition that was tried. */
  conditionError: string | undefined;
  bodyFault: ExpressionFault | null;
}

/** Tries a filter on the newest entries as it is edited. The last answer stays until there is another one. */
export function usePreview(tried: Tried): PreviewState {
  const text = JSON.stringify({ ...tried, last: LAST });
  const settled = useSettled(text);
  const asked = JSON.parse(settled) as Tried & { last: number };
  const { data, error, isFetching, isPending, isPlaceholderData } = useQuery({
    queryKey: ['preview', asked],
    queryFn: () => api.consumers.preview(asked),
    placeholderData: (before) => before,
    refetchInterval: ({ state }) => {
      if (state.error !== null) return false;
      return asked.where == null ? AGAIN_MS.lists : AGAIN_MS.condition;
    },
    retry: false,
  });
  const [answered, setAnswered] = useState(data);
  if (data !== undefined && data !== answered) setAnswered(data);
  const [refused, setRefused] = useState({ settled, error });
  const isAnswered = !isPending && !isPlaceholderData;
  if (isAnswered && (refused.settled !== settled || refused.error !== error)) {
    setRefused({ settled, error });
  }
  const tooLong = lengthFault(asked.where ?? '');
  const { conditionFault, bodyFault } = faultsOf(asked, refused);
  return {
    data: data ?? answered,
    isFetching,
    error,
    conditionFault: tooLong === null ? conditionFault : null,
    conditionError: tooLong ?? undefined,
    bodyFault,
  };
}

/** Where the last answer says that what is tried is wrong. What has not changed since is as wrong as it was. */
function faultsOf(
  { where, body }: Tried,
  refused: { settled: string; error: Error | null },
): Pick<PreviewState, 'conditionFault' | 'bodyFault'> {
  const before = JSON.parse(refused.settled) as Tried;
  const condition = where ?? '';
  const isSameCondition = condition === (before.where ?? '');
  const expression = expressionOf(body);
  const isSameBody = expression === expressionOf(before.body);
  return {
    conditionFault: isSameCondition ? expressionFault(refused.error, '/where', condition) : null,
    bodyFault: isSameBody ? expressionFault(refused.error, '/body/expression', expression) : null,
  };
}

function expressionOf(body: ConsumerBody | undefined): string {
  return body?.mode === 'map' ? body.expression : '';
}
