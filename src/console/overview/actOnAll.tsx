import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Trouble } from '../../schema/overview.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorText, Hint } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { amount, number } from '../words.ts';
import { consumersOf, giveToAll, type EveryVerb } from './everyOne.ts';
import { isIn, outcomeText, WORDS } from './trouble.ts';

/** What can be done about a trouble: for all consumers that have it, for its target, or a test of that. */
export function TroubleActs({ trouble }: { trouble: Trouble }) {
  const [verb, setVerb] = useState<EveryVerb | null>(null);
  const verbs: EveryVerb[] =
    trouble.status === 'stopped'
      ? ['resume']
      : trouble.status === 'blocked'
        ? ['retry', 'pause']
        : [];
  const buttons = verbs.map((one) => (
    <ActButton key={one} needs="manage" onClick={() => setVerb(one)}>
      {trouble.consumers === 1 ? WORDS[one].one : WORDS[one].button}
    </ActButton>
  ));
  return (
    <div className="flex flex-wrap gap-2">
      {buttons.slice(0, 1)}
      <TestButton trouble={trouble} />
      {buttons.slice(1)}
      {verb !== null && <Asking verb={verb} trouble={trouble} onClose={() => setVerb(null)} />}
    </div>
  );
}

function TestButton({ trouble }: { trouble: Trouble }) {
  const toasts = useToasts();
  const test = useMutation({
    mutationFn: () => api.targets.test(trouble.target_id),
    onSuccess: ({ outcome, status, detail, duration_ms }) => {
      const said = status === null ? (detail ?? 'no answer') : `HTTP ${status}`;
      const text = `Test webhook to ${trouble.target_name}: ${outcome}, ${said}, ${number(duration_ms)} ms.`;
      if (outcome === 'delivered') toasts.done(text);
      else toasts.failed(text);
    },
    onError: toasts.refused,
  });
  return (
    <ActButton needs="manage" busy={test.isPending} onClick={() => test.mutate()}>
      Test
    </ActButton>
  );
}

/** Says how many consumers it concerns, does it a few at a time, and says what became of it. */
function Asking(props: { verb: EveryVerb; trouble: Trouble; onClose: () => void }) {
  const { verb, trouble, onClose } = props;
  const words = WORDS[verb];
  const isSingle = trouble.consumers === 1;
  const queries = useQueryClient();
  const toasts = useToasts();
  const [tried, setTried] = useState(0);
  const concerned = useQuery({
    queryKey: ['consumers', 'of', trouble.target_id, verb],
    queryFn: async () => {
      if (verb === 'pause' && !isSingle) {
        return consumersOf(trouble.target_id, ['active', 'blocked']);
      }
      const all = await consumersOf(
        trouble.target_id,
        verb === 'resume' ? ['stopped'] : ['blocked'],
      );
      return all.filter((consumer) => isIn(trouble, consumer));
    },
    gcTime: 0,
    staleTime: Infinity, // whom it concerns does not change while it is done
  });
  const all = concerned.data ?? [];
  const give = useMutation({
    mutationFn: () => giveToAll(verb, all, setTried),
    onSuccess: (outcome) => {
      const text = outcomeText(verb, outcome);
      if (outcome.failed.length === 0) toasts.done(text);
      else toasts.failed(text);
      for (const key of ['troubles', 'status', 'consumers']) {
        void queries.invalidateQueries({ queryKey: [key] });
      }
      onClose();
    },
  });
  const many = concerned.data === undefined ? 'all consumers' : amount(all.length, 'consumer');
  return (
    <Dialog
      open
      onClose={() => !give.isPending && onClose()}
      title={words.title(many, trouble.target_name)}
      description={isSingle ? words.textOfOne : words.text}
      actions={
        <>
          {!give.isPending && <Button onClick={onClose}>Cancel</Button>}
          <Button
            kind="main"
            busy={give.isPending || concerned.isFetching}
            disabled={concerned.data?.length === 0}
            onClick={() => give.mutate()}
          >
            {isSingle ? words.one : words.button}
          </Button>
        </>
      }
    >
      {concerned.error !== null && (
        <Hint tone="bad">
          <ErrorText error={concerned.error} />
        </Hint>
      )}
      {concerned.data?.length === 0 && <Hint>No consumer is left that this concerns.</Hint>}
      {give.isPending && (
        <p role="status" className="text-soft tabular-nums">
          {number(tried)} of {amount(all.length, 'consumer')} done
        </p>
      )}
    </Dialog>
  );
}
