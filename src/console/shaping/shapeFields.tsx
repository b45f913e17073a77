import type { ConsumerBody } from '../../schema/body.ts';
import type { StreamName } from '../../schema/stream.ts';
import type { BatchDraft } from './batches.ts';
import { BatchField } from './batchField.tsx';
import { BodyField } from './bodyField.tsx';
import { SampleBody } from './sampleBody.tsx';
import type { PreviewState } from './usePreview.ts';

/** What a consumer's requests carry. */
export interface Shape {
  body: ConsumerBody;
  batch: BatchDraft | null;
}

export interface ShapeProps {
  stream: StreamName;
  shape: Shape;
  onChange: (change: Partial<Shape>) => void;
  /** What the newest entries make of this body. */
  preview: PreviewState;
  errorAt: (pointer: string) => string | undefined;
}

/** The body of requests, with a sample, and batches. */
export function ShapeFields({ stream, shape, onChange, preview, errorAt }: ShapeProps) {
  return (
    <>
      <BodyField
        stream={stream}
        body={shape.body}
        onChange={(body) => onChange({ body })}
        fault={preview.bodyFault}
        errorAt={errorAt}
      />
      <SampleBody stream={stream} inBatch={shape.batch !== null} preview={preview} />
      <hr className="border-line" />
      <BatchField
        stream={stream}
        batch={shape.batch}
        onChange={(batch) => onChange({ batch })}
        errorAt={errorAt}
      />
      {shape.body.mode === 'map' && shape.batch !== null && (
        <p className="text-warn">
          ▲ The results of the expression are sent in that list. An endpoint that takes one message
          per request, such as Slack, does not take that: send its entries one by one.
        </p>
      )}
    </>
  );
}
