import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { useInfo } from '../info.ts';
import { useReads } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { amount, number } from '../words.ts';
import { allPlan, outcomeText } from './allPlan.ts';
import { giveToAll, type EveryVerb } from './everyOne.ts';
import { WORDS } from './trouble.ts';

/** So many consumers are named before a command is given to them. */
const NAMED = 10;

/** Says which consumers a command concerns, gives it to a few at a time, and shows the outcome. */
export function AskForAll(props: {
  verb: EveryVerb;
  target: { id: string; name: string };
  /** Whether it is known to concern a single consumer. */
  isSingle: boolean;
  /** Finds the consumers that it concerns. */
  find: () => Promise<Consumer[]>;
  onClose: () => void;
}) {
  const { verb, target, isSingle, find, onClose } = props;
  const words = WORDS[verb];
  const retryWindow = useInfo().data?.retry_window;
  const reads = useReads();
  const toasts = useToasts();
  const [tried, setTried] = useState(0);
  const concerned = useQuery({
    queryKey: ['consumers', 'of', target.id, verb],
    queryFn: find,
    gcTime: 0,
    staleTime: Infinity, // the consumers concerned do not change while the commands are given
  });
  const all = concerned.data ?? [];
  const give = useMutation({
    mutationFn: () => giveToAll(verb, all, setTried),
    onSuccess: (outcome) => {
      const text = outcomeText(verb, all, outcome);
      if (outcome.failed.length === 0) toasts.done(text, { stays: verb !== 'pause' });
      else toasts.failed(text);
      void reads.again(['troubles'], ['status'], ['consumers'], ['target']);
      onClose();
    },
  });
  const paused = all.filter(({ status }) => status === 'paused').length;
  const many = concerned.data === undefined ? 'all consumers' : amount(all.length, 'consumer');
  return (
    <Dialog
      open
      onClose={() => !give.isPending && onClose()}
      title={words.title(many, target.name)}
      description={all.length === 0 ? '' : allPlan(verb, all, retryWindow)}
      actions={
        <>
          {!give.isPending && <Button onClick={onClose}>Cancel</Button>}
          <Button
            kind="main"
            busy={give.isPending || concerned.isFetching}
            disabled={concerned.data?.length === 0}
            onClick={() => give.mutate()}
          >
            {isSingle ? words.one : `${words.one} ${many}`}
          </Button>
        </>
      }
    >
      <Unsaved error={concerned.error} />
      <Named consumers={all} />
      {verb === 'resume' && paused > 0 && paused < all.length && (
        <Hint tone="warn">
          {number(paused)} of them {paused === 1 ? 'was' : 'were'} paused by someone, and{' '}
          {paused === 1 ? 'is' : 'are'} resumed as well.
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

/** The consumers by name, and how many there are besides. */
function Named({ consumers }: { consumers: readonly Consumer[] }) {
  const further = consumers.length - NAMED;
  return (
    <ul aria-label="Consumers" className="flex list-disc flex-col pl-5 empty:hidden">
      {consumers.slice(0, NAMED).map(({ id, name }) => (
        <li key={id} className="foreign">
          {name}
        </li>
      ))}
      {further > 0 && <li>and {number(further)} more</li>}
    </ul>
  );
}
