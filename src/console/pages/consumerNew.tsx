import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import type { Consumer, ConsumerInput } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { api, isGone } from '../api.ts';
import {
  BLANK,
  CONSUMER_FORM,
  draftLike,
  hasStart,
  inputOf,
  proposedName,
  type Draft,
} from '../consumers/draft.ts';
import { draftFaults } from '../consumers/faults.ts';
import { conditionOf } from '../consumers/filterDelta.ts';
import { FilterPreview } from '../consumers/preview.tsx';
import {
  CONDITION_STEP,
  Progress,
  START_STEP,
  StepButtons,
  STEPS,
} from '../consumers/progress.tsx';
import { SaveStep } from '../consumers/saveStep.tsx';
import { FilterStep, Further } from '../consumers/stepParts.tsx';
import { StartStep, TargetStep } from '../consumers/steps.tsx';
import { faultsIn, type Faults } from '../faults.ts';
import { errorsOf } from '../fieldErrors.ts';
import type { ConsumerNewSearch as Search } from '../latePages.ts';
import { useReads } from '../queries.ts';
import { Refused } from '../refused.tsx';
import { useRefusal } from '../session.ts';
import { useZone } from '../settings.ts';
import { bodyInput } from '../shaping/bodies.ts';
import type { ExpressionFault } from '../shaping/expressionFault.ts';
import { triedShape, usePreview, type PreviewState } from '../shaping/usePreview.ts';
import { Button, buttonLook } from '../ui/button.tsx';
import { Failed, Hint, Loading, Unsaved } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { useFaults } from '../useFaults.ts';
import { useForm } from '../useForm.ts';

const TITLE = 'New consumer: Webhooks';

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
  const form = useForm(CONSUMER_FORM, BLANK, (kept) => knownFrom(search, original, kept));
  const lone = useLoneTarget();
  const { set } = form;
  const like = original === null ? {} : { like: original.id };
  const draft = { ...form.values, target_id: form.values.target_id || lone };
  const zone = useZone();
  const asked = useTarget(draft.target_id);
  const isTargetGone = isGone(asked.error);
  const hasTarget = draft.target_id !== '' && !isTargetGone;
  const wanted = Math.min(Math.max(Number(search.step ?? 1) || 1, 1), STEPS.length);
  const step = hasTarget ? wanted : 1;
  const { named, setNameless } = useNamed(draft, asked.data);
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
  const save = useSave(() => ({ ...alsoOf(original), ...inputOf(named, zone) }), form.drop);
  const { stream } = draft;
  const isLast = step === STEPS.length;
  const preview = usePreview({
    stream,
    ...listsOf(draft),
    where: conditionOf(draft),
    ...(isLast && triedShape(draft, stream)),
  });
  const faults = faultsAt(step, named, preview);
  const { element, isSendable, faultAt } = useFaults(faults, step);
  const refused = errorsOf(save.error);
  const errorAt = (pointer: string): string | undefined => faultAt(pointer) ?? refused(pointer);
  /** Leads to the next step, or saves, unless the fields of this one have to be mended first. */
  const proceed = (): void => {
    const isMended = isSendable();
    if (isLast && '/where' in faults) go(CONDITION_STEP);
    else if (isLast && !hasStart(draft)) go(START_STEP);
    else if (isMended && !isLast) go(step + 1);
    else if (isMended) save.mutate();
    else save.reset();
  };

  return (
    <>
      <PageHead title={TITLE} />
      <Origin original={original} isRestored={form.isRestored} />
      <Progress step={step} onGo={go} isReady={hasTarget} />
      <form
        className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]"
        ref={element}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          proceed();
        }}
      >
        <div className="flex min-w-0 flex-col gap-3">
          <Panel title={`${step}. ${STEPS[step - 1]}`}>
            {step === 1 && (
              <>
                {isTargetGone && <Hint tone="warn">That target no longer exists.</Hint>}
                <TargetStep
                  draft={draft}
                  onChange={pick}
                  chosen={isTargetGone ? undefined : asked.data}
                />
              </>
            )}
            <FilterStep step={step} draft={draft} onChange={set} />
            {step === START_STEP && <StartStep draft={draft} onChange={set} errorAt={errorAt} />}
            {isLast && (
              <SaveStep
                draft={named}
                onChange={(change) => {
                  if (change.name !== undefined) setNameless(change.name === '');
                  set(change);
                }}
                target={asked}
                errorAt={errorAt}
              />
            )}
          </Panel>
          <Further {...{ step, draft, preview, errorAt }} onChange={set} />
          <Unsaved error={save.error} />
          <StepButtons
            step={step}
            onGo={go}
            isReady={hasTarget && (!isLast || asked.data !== undefined)}
            busy={save.isPending}
          >
            <Link to="/consumers" className={buttonLook('quiet')}>
              Cancel
            </Link>
            {form.isFilled && (
              <Button kind="quiet" onClick={startOver}>
                Start over
              </Button>
            )}
          </StepButtons>
        </div>
        {step > 1 && (
          <div className="min-w-0 lg:sticky lg:top-16">
            <FilterPreview stream={stream} preview={preview} />
          </div>
        )}
      </form>
    </>
  );
}

/** The draft with the proposed name, unless another one was typed, or that one was removed. */
function useNamed(draft: Draft, target: Target | undefined) {
  const [isNameless, setNameless] = useState(false);
  const proposed = isNameless || target === undefined ? '' : proposedName(draft, target.name);
  return { named: { ...draft, name: draft.name || proposed }, setNameless };
}

/** Creates the consumer, forgets the form, and leads to the consumer's page. */
function useSave(input: () => Partial<ConsumerInput>, drop: () => void) {
  const reads = useReads();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => api.consumers.create(input()),
    onSuccess: async (consumer) => {
      drop();
      await reads.replace(['consumer', consumer.id], consumer);
      await reads.again(['consumers']);
      await navigate({ to: '/consumers/$id', params: { id: consumer.id }, replace: true });
    },
  });
}

/** What has to be mended before the form leads on from a step; the last one asks for all of it. */
function faultsAt(step: number, draft: Draft, preview: PreviewState): Faults {
  const { conditionFault, bodyFault } = preview;
  const where = faultsIn({ '/where': faultOf(conditionFault, conditionOf(draft)) });
  if (step === CONDITION_STEP) return where;
  const faults = draftFaults(draft);
  if (step === START_STEP) return faultsIn({ '/start': faults['/start'] ?? null });
  if (step < STEPS.length) return {};
  const body = bodyInput(draft.body);
  const expression = body.mode === 'map' ? body.expression : null;
  return {
    ...where,
    ...faultsIn({ '/body/expression': faultOf(bodyFault, expression) }),
    ...faults,
  };
}

/** What is wrong with an expression, if it is the one that was tried. */
function faultOf(fault: ExpressionFault | null, text: string | null): string | null {
  return fault !== null && fault.text === text ? fault.detail : null;
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

function useTarget(id: string) {
  return useQuery({
    queryKey: ['target', id],
    queryFn: () => api.targets.get(id),
    enabled: id !== '',
  });
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

function listsOf({ syncs, collections, event_types }: Draft) {
  return { syncs, collections, event_types };
}
