import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import type { Consumer, ConsumerInput } from '../../schema/consumer.ts';
import { api, ClientError } from '../api.ts';
import {
  BLANK,
  CONSUMER_FORM,
  draftLike,
  hasStart,
  inputOf,
  proposedName,
  type Draft,
} from '../consumers/draft.ts';
import { CollectionsField, EventTypesField, SyncsField } from '../consumers/filterFields.tsx';
import { FilterPreview } from '../consumers/preview.tsx';
import { SaveStep, StartStep, StreamChoice, TargetStep } from '../consumers/steps.tsx';
import { Refused } from '../refused.tsx';
import { onlyGiven, textOf } from '../search.ts';
import { useRefusal } from '../session.ts';
import { useZone } from '../settings.ts';
import { Button, buttonLook } from '../ui/button.tsx';
import { Failed, Hint, Loading, Unsaved } from '../ui/notice.tsx';
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

interface Search {
  target?: string;
  step?: string;
  /** The consumer that is duplicated. */
  like?: string;
}

export function consumerNewSearch(search: Record<string, unknown>): Search {
  const found = {
    target: textOf(search, 'target'),
    step: textOf(search, 'step'),
    like: textOf(search, 'like'),
  };
  return onlyGiven(found);
}

/** A new consumer, for a session that may create one. */
export function ConsumerNewPage() {
  const { like }: Search = useSearch({ from: '/inside/consumers/new' });
  const refusal = useRefusal('manage');
  const { data, error, refetch } = useQuery({
    queryKey: ['consumer', like],
    queryFn: () => api.consumers.get(like ?? ''),
    enabled: refusal === null && like !== undefined,
  });
  const back = (
    <Link to="/consumers" className={buttonLook('main')}>
      Back to consumers
    </Link>
  );
  if (refusal !== null) {
    return (
      <Refused title={TITLE} refusal={refusal}>
        {back}
      </Refused>
    );
  }
  const original = like === undefined ? null : data;
  if (original !== undefined) return <Wizard original={original} />;
  if (error === null) return <Loading what="the consumer" />;
  return (
    <Failed error={error} again={() => void refetch()}>
      {back}
    </Failed>
  );
}

/**
 * The form in six steps. You can return to each of them; the back button goes one step back, and a reload loses
 * nothing. `original`: the consumer that is duplicated, if any.
 */
function Wizard({ original }: { original: Consumer | null }) {
  const search: Search = useSearch({ from: '/inside/consumers/new' });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const form = useForm(CONSUMER_FORM, BLANK, (kept) => knownFrom(search, original, kept));
  const lone = useLoneTarget();
  const { set } = form;
  const like = original === null ? {} : { like: original.id };
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
    void navigate({
      to: '/consumers/new',
      search: { ...like, target: draft.target_id, step: String(to) },
    });
  /** Keeps the address in step, so that a reload continues with what was chosen last. */
  const pick = (change: Partial<Draft>): void => {
    set(change);
    const picked = { ...like, target: change.target_id ?? draft.target_id, step: '1' };
    void navigate({ to: '/consumers/new', search: picked, replace: true });
  };
  const startOver = (): void => {
    form.startOver();
    setNameless(false);
    save.reset();
    void navigate({ to: '/consumers/new', search: {} });
  };
  const save = useMutation({
    mutationFn: () => api.consumers.create({ ...alsoOf(original), ...inputOf(named, zone) }),
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
      <Origin original={original} isRestored={form.isRestored} />
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

/** Where the fields come from that a person has not filled in now. */
function Origin({ original, isRestored }: { original: Consumer | null; isRestored: boolean }) {
  if (original === null) return isRestored && <Hint>Your unsaved draft was restored.</Hint>;
  return (
    <Hint>
      Filled in like “<bdi className="foreign">{original.name}</bdi>”; its alert addresses and
      metadata are copied as well.
    </Hint>
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

/**
 * The fields that a link gives, by its target or by the consumer that is duplicated. Once a step is in the address,
 * what was chosen since takes precedence.
 */
function knownFrom(
  { target, step }: Search,
  original: Consumer | null,
  kept: Partial<Draft>,
): Partial<Draft> {
  const isNew = step === undefined;
  if (original !== null) return isNew ? draftLike(original) : without(draftLike(original), kept);
  return target !== undefined && (isNew || !kept.target_id) ? { target_id: target } : {};
}

/** What a duplicate takes over beside the fields of the form. */
function alsoOf(original: Consumer | null): Partial<ConsumerInput> {
  if (original === null) return {};
  const { alert_emails, metadata } = original;
  return { alert_emails, metadata };
}

/** The fields that `kept` does not have. */
function without(fields: Partial<Draft>, kept: Partial<Draft>): Partial<Draft> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !(name in kept)));
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
