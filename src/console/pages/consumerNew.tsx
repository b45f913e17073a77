import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import { api, ClientError } from '../api.ts';
import {
  BLANK,
  CONSUMER_FORM,
  hasStart,
  inputOf,
  proposedName,
  type Draft,
} from '../consumers/draft.ts';
import { CollectionsField, EventTypesField, SyncsField } from '../consumers/filterFields.tsx';
import { FilterPreview } from '../consumers/preview.tsx';
import { SaveStep, StartStep, StreamChoice, TargetStep } from '../consumers/steps.tsx';
import { Refused } from '../refused.tsx';
import { textOf } from '../search.ts';
import { useRefusal } from '../session.ts';
import { useZone } from '../settings.ts';
import { Button, buttonLook } from '../ui/button.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { useForm } from '../useForm.ts';

const TITLE = 'New consumer: Webhooks';
const STEPS = [
  'Select target',
  'Select syncs',
  'Select collections',
  'Select event types',
  'Select start position',
  'Save',
] as const;

export function consumerNewSearch(search: Record<string, unknown>): {
  target?: string;
  step?: string;
} {
  const target = textOf(search, 'target');
  const step = textOf(search, 'step');
  return { ...(target !== undefined && { target }), ...(step !== undefined && { step }) };
}

/** A new consumer, for a session that may create one. */
export function ConsumerNewPage() {
  const refusal = useRefusal('manage');
  if (refusal === null) return <Wizard />;
  return (
    <Refused title={TITLE} refusal={refusal}>
      <Link to="/consumers" className={buttonLook('main')}>
        Back to consumers
      </Link>
    </Refused>
  );
}

/**
 * The form in six steps. You can return to each of them; the back button goes one step back, and a reload loses
 * nothing.
 */
function Wizard() {
  const search: { target?: string; step?: string } = useSearch({ from: '/inside/consumers/new' });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const form = useForm(CONSUMER_FORM, BLANK, (kept) => {
    // A link names its target; once a step is in the address, what was chosen since takes precedence.
    const isMeant = search.step === undefined || !kept.target_id;
    return search.target !== undefined && isMeant ? { target_id: search.target } : {};
  });
  const lone = useLoneTarget();
  const { set } = form;
  const draft = { ...form.values, target_id: form.values.target_id || lone };
  const [isNameless, setNameless] = useState(false);
  const zone = useZone();
  const { target, isGone } = useTarget(draft.target_id);
  const hasTarget = draft.target_id !== '' && !isGone;
  const wanted = Math.min(Math.max(Number(search.step ?? 1) || 1, 1), STEPS.length);
  const step = hasTarget ? wanted : 1;
  const proposed = isNameless ? '' : proposedName(draft, target?.name ?? '…');
  const named = { ...draft, name: draft.name || proposed };
  const isReady = hasTarget && target !== undefined && hasStart(draft) && named.name !== '';
  const go = (to: number): void =>
    void navigate({ to: '/consumers/new', search: { target: draft.target_id, step: String(to) } });
  /** Keeps the address in step, so that a reload continues with what was chosen last. */
  const pick = (change: Partial<Draft>): void => {
    set(change);
    const picked = { target: change.target_id ?? draft.target_id, step: '1' };
    void navigate({ to: '/consumers/new', search: picked, replace: true });
  };
  const startOver = (): void => {
    form.startOver();
    setNameless(false);
    save.reset();
    void navigate({ to: '/consumers/new', search: {} });
  };
  const save = useMutation({
    mutationFn: () => api.consumers.create(inputOf(named, zone)),
    onSuccess: async (consumer) => {
      form.drop();
      queries.setQueryData(['consumer', consumer.id], consumer);
      await queries.invalidateQueries({ queryKey: ['consumers'] });
      await navigate({ to: '/consumers/$id', params: { id: consumer.id }, replace: true });
    },
  });
  const field = { filter: draft, onChange: set, stream: draft.stream };

  return (
    <>
      <PageHead title={TITLE} />
      {form.isRestored && <Hint>Your unsaved draft was restored.</Hint>}
      <Progress step={step} onGo={go} isReady={hasTarget} />
      <form
        className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]"
        onSubmit={(event) => {
          event.preventDefault();
          if (step < STEPS.length) go(step + 1);
          else save.mutate();
        }}
      >
        <div className="flex min-w-0 flex-col gap-3">
          <Panel title={`${step}. ${STEPS[step - 1]}`}>
            {step === 1 && (
              <>
                {isGone && <Hint tone="warn">That target no longer exists.</Hint>}
                <TargetStep draft={draft} onChange={pick} chosen={isGone ? undefined : target} />
              </>
            )}
            {step === 2 && (
              <>
                <StreamChoice draft={draft} onChange={set} />
                <SyncsField {...field} />
              </>
            )}
            {step === 3 && <CollectionsField {...field} />}
            {step === 4 && <EventTypesField {...field} />}
            {step === 5 && <StartStep draft={draft} onChange={set} />}
            {step === 6 && (
              <SaveStep
                draft={named}
                onChange={(change) => {
                  if (change.name !== undefined) setNameless(change.name === '');
                  set(change);
                }}
                target={target}
                error={save.error}
              />
            )}
          </Panel>
          <Unsaved error={save.error} />
          <div className="flex flex-wrap gap-2">
            {step > 1 && <Button onClick={() => go(step - 1)}>Back</Button>}
            <Button
              type="submit"
              kind="main"
              busy={save.isPending}
              disabled={!hasTarget || (step === STEPS.length && !isReady)}
            >
              {step === STEPS.length ? 'Save' : `Next: ${STEPS[step]?.toLowerCase()}`}
            </Button>
            <Skip step={step} onGo={go} isReady={hasTarget} />
            <Link to="/consumers" className={buttonLook('quiet')}>
              Cancel
            </Link>
            {form.isFilled && (
              <Button kind="quiet" onClick={startOver}>
                Start over
              </Button>
            )}
          </div>
        </div>
        {step > 1 && (
          <div className="min-w-0 lg:sticky lg:top-16">
            <FilterPreview stream={draft.stream} filter={filterOf(draft)} />
          </div>
        )}
      </form>
    </>
  );
}

/** Leaves the steps between as they are. */
function Skip({ step, onGo, isReady }: StepsProps) {
  if (step >= STEPS.length - 1) return null;
  return (
    <Button disabled={!isReady} onClick={() => onGo(STEPS.length)}>
      Skip to save
    </Button>
  );
}

function useTarget(id: string) {
  const { data, error } = useQuery({
    queryKey: ['target', id],
    queryFn: () => api.targets.get(id),
    enabled: id !== '',
  });
  return { target: data, isGone: error instanceof ClientError && error.status < 500 };
}

/** The id of the only target there is, which need not be chosen; empty while there are none or several. */
function useLoneTarget(): string {
  const { data: page } = useQuery({
    queryKey: ['targets', 'lone'],
    queryFn: () => api.targets.list({ limit: 2 }),
  });
  return page?.data.length === 1 ? (page.data[0]?.id ?? '') : '';
}

function filterOf({ syncs, collections, event_types }: Draft) {
  return { syncs, collections, event_types };
}

interface StepsProps {
  /** The current step. */
  step: number;
  onGo: (step: number) => void;
  /** Whether the first step is done. */
  isReady: boolean;
}

function Progress({ step, onGo, isReady }: StepsProps) {
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
