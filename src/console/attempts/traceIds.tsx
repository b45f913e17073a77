import type { Attempt } from '../api.ts';

/** The trace in which the producer appended the entry, and its span there. */
export function TraceIds(props: { attempt: Pick<Attempt, 'trace_id' | 'producer_span_id'> }) {
  const { trace_id, producer_span_id } = props.attempt;
  return (
    <>
      <code>{trace_id}</code>{' '}
      <span className="text-soft">
        of the producer, whose span is <code>{producer_span_id}</code>
      </span>
    </>
  );
}
