import type { Preview } from '../../schema/preview.ts';
import type { StreamName } from '../../schema/stream.ts';
import { prettyText } from '../pretty.ts';
import { Code } from '../ui/copyText.tsx';
import { ErrorText, Hint } from '../ui/notice.tsx';
import type { PreviewState } from './usePreview.ts';

/** What would be sent of the newest entry that matches the filter. */
export function SampleBody(props: {
  stream: StreamName;
  /** Whether requests carry several entries. */
  inBatch: boolean;
  preview: PreviewState;
}) {
  const { stream, inBatch, preview } = props;
  const { data, error, isFetching, bodyFault } = preview;
  const sample = data?.sample_body;
  return (
    <section aria-label="Sample" aria-busy={isFetching} className="flex min-w-0 flex-col gap-2">
      {error !== null && bodyFault === null && (
        <Hint tone="warn">
          <ErrorText error={error} />
        </Hint>
      )}
      {sample === null && (
        <p className="text-soft">
          None of the last {stream} matches the filter, so there is no sample.
        </p>
      )}
      {bodyFault !== null && sample != null && (
        <p className="text-soft">The expression is wrong. This is what came of the one before:</p>
      )}
      {sample != null && <Sample sample={sample} inBatch={inBatch} />}
    </section>
  );
}

function Sample(props: { sample: NonNullable<Preview['sample_body']>; inBatch: boolean }) {
  const { sample, inBatch } = props;
  const { text, fault, content_type } = sample;
  if (text === null) {
    return (
      <Hint tone="warn">
        No body can be made of the newest match, so it would be parked: {fault}.
      </Hint>
    );
  }
  return (
    <>
      <Code label="Sample: the newest match" text={text} formatted={prettyText(text)} />
      <p className="mt-1 text-xs text-soft">
        {content_type}
        {inBatch && ', with this one entry in the envelope of batches'}
      </p>
    </>
  );
}
