import type { ReactNode } from 'react';

import { Button } from '../ui/button.tsx';

/** The steps of the form of a new consumer. */
export const STEPS = [
  'Select target',
  'Select syncs',
  'Select collections',
  'Select event types',
  'Select start position',
  'Save',
] as const;

/** The steps beside which the condition is written, and at which the start is chosen. */
export const CONDITION_STEP = 4;
export const START_STEP = 5;

interface StepsProps {
  /** The current step. */
  step: number;
  onGo: (step: number) => void;
  /** Whether what has to be done first is done. */
  isReady: boolean;
}

/** The steps, each of which can be gone to once the first is done. */
export function Progress({ step, onGo, isReady }: StepsProps) {
  return (
    <nav aria-label="Steps">
      <ol className="flex flex-wrap gap-1">
        {STEPS.map((title, index) => {
          const at = index + 1;
          const look =
            at === step
              ? 'border-accent bg-accent-soft text-accent'
              : 'border-line bg-panel text-soft';
          return (
            <li key={title}>
              <button
                type="button"
                aria-current={at === step ? 'step' : undefined}
                disabled={!isReady && at > 1}
                onClick={() => onGo(at)}
                className={`min-h-8 rounded-md border px-2 font-medium disabled:opacity-60 ${look}`}
              >
                {at}. {title}
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

/** Leads back, on to the next step, or to the last one; there, it saves. */
export function StepButtons(
  props: StepsProps & {
    busy: boolean;
    /** Further buttons. */
    children: ReactNode;
  },
) {
  const { step, onGo, isReady, busy, children } = props;
  const isLast = step === STEPS.length;
  return (
    <div className="flex flex-wrap gap-2">
      {step > 1 && <Button onClick={() => onGo(step - 1)}>Back</Button>}
      <Button type="submit" kind="main" busy={busy} disabled={!isReady}>
        {isLast ? 'Save' : `Next: ${STEPS[step]?.toLowerCase()}`}
      </Button>
      {step < STEPS.length - 1 && (
        <Button disabled={!isReady} onClick={() => onGo(STEPS.length)}>
          Skip to save
        </Button>
      )}
      {children}
    </div>
  );
}
