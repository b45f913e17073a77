import type { StreamName } from '../../schema/stream.ts';

/** What an expression can use on a stream, in a sentence or two. */
export function Variables({ stream }: { stream: StreamName }) {
  return stream === 'events' ? (
    <>
      <code>event</code> is the event as its webhook has it, with <code>event.data</code>;{' '}
      <code>changes</code> holds the previous values of an update.
    </>
  ) : (
    <>
      <code>record</code> is the record as its webhook has it, with <code>record.data</code>.
    </>
  );
}
