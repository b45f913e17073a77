import { ConditionPanel } from '../shaping/conditionPanel.tsx';
import { ShapePanel } from '../shaping/shapePanel.tsx';
import type { PreviewState } from '../shaping/usePreview.ts';
import type { Draft } from './draft.ts';
import { CollectionsField, EventTypesField, SyncsField } from './filterFields.tsx';
import { CONDITION_STEP, STEPS } from './progress.tsx';
import { StreamChoice } from './steps.tsx';

interface PartProps {
  step: number;
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
}

/** The fields of the steps that choose a part of the filter; nothing at the other steps. */
export function FilterStep(props: PartProps) {
  const { step, draft, onChange } = props;
  const field = { filter: draft, onChange, stream: draft.stream };
  if (step === 3) return <CollectionsField {...field} />;
  if (step === CONDITION_STEP) return <EventTypesField {...field} />;
  if (step !== 2) return null;
  return (
    <>
      <StreamChoice draft={draft} onChange={onChange} />
      <SyncsField {...field} />
    </>
  );
}

/** What can be chosen beside a step, and need not be: the condition of the filter, and what each request carries. */
export function Further(
  props: PartProps & {
    preview: PreviewState;
    errorAt: (pointer: string) => string | undefined;
  },
) {
  const { step, draft, onChange, preview, errorAt } = props;
  const { stream } = draft;
  if (step === CONDITION_STEP) {
    return (
      <ConditionPanel
        stream={stream}
        where={draft.where}
        onChange={(where) => onChange({ where })}
        fault={preview.conditionFault}
        error={preview.conditionError ?? errorAt('/where')}
      />
    );
  }
  if (step < STEPS.length) return null;
  return (
    <ShapePanel
      stream={stream}
      shape={draft}
      onChange={onChange}
      preview={preview}
      errorAt={errorAt}
    />
  );
}
