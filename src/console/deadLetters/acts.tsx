import { useMutation } from '@tanstack/react-query';

import type { Consumer } from '../../schema/consumer.ts';
import { api, ClientError } from '../api.ts';
import { useReads } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Hint } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { amount } from '../words.ts';

/** An action with some dead letters; `ids` null: with all of the consumer. */
export interface Act {
  kind: 'replay' | 'delete';
  ids: string[] | null;
  count: number;
}

/** How many ids the API takes in one request. */
const BATCH = 1_000;
const DELETES_AT_ONCE = 4;

/** Asks before dead letters are replayed or deleted, with their exact count and what will happen. */
export function ActDialog(props: {
  act: Act | null;
  consumer: Consumer;
  onClose: () => void;
  onDone: () => void;
}) {
  const { act, consumer, onClose, onDone } = props;
  const toasts = useToasts();
  const reads = useReads();
  const run = useMutation({
    mutationFn: (wanted: Act) =>
      wanted.kind === 'replay' ? replay(consumer.id, wanted.ids) : remove(consumer.id, wanted.ids),
    onSuccess: (count, { kind }) => {
      const letters = amount(count, 'dead letter');
      toasts.done(kind === 'replay' ? `${letters} queued for replay` : `${letters} deleted`);
      onDone();
    },
    onError: toasts.refused,
    onSettled: () => {
      onClose();
      void reads.again(['dead-letters', consumer.id], ['consumer', consumer.id]);
    },
  });
  if (act === null) return null;
  const letters = amount(act.count, 'dead letter');
  const verb = act.kind === 'replay' ? 'Replay' : 'Delete';
  return (
    <Dialog
      open
      onClose={() => !run.isPending && onClose()}
      title={act.kind === 'replay' ? `Replay ${letters}?` : `Delete ${letters}?`}
      description={act.kind === 'replay' ? <Replayed act={act} consumer={consumer} /> : <Deleted />}
      actions={
        <>
          <Button onClick={onClose} disabled={run.isPending}>
            Cancel
          </Button>
          <Button
            kind={act.kind === 'replay' ? 'main' : 'danger'}
            busy={run.isPending}
            onClick={() => run.mutate(act)}
          >
            {run.isPending ? 'Working…' : `${verb} ${letters}`}
          </Button>
        </>
      }
    />
  );
}

function Replayed({ act, consumer }: { act: Act; consumer: Consumer }) {
  const { name, status } = consumer;
  return (
    <div className="flex flex-col gap-2">
      <ul className="list-disc pl-5">
        <li>To the endpoint of “{name}”, with the same webhook ids and in stream order.</li>
        <li>Each gets a new retry window. An entry that fails for all of it comes back here.</li>
        <li>Later entries of the same records wait until these are delivered.</li>
        {act.ids === null && (
          <li>Entries that become dead letters in the meantime are not included.</li>
        )}
      </ul>
      {status !== 'active' && (
        <Hint tone="warn">
          The consumer is {status}.{' '}
          {status === 'blocked'
            ? 'They are sent once its endpoint accepts webhooks again.'
            : 'They wait until it is resumed.'}
        </Hint>
      )}
    </div>
  );
}

function Deleted() {
  return (
    <p>
      They can't be sent any more, and their bodies are deleted. The streams keep the entries until
      the retention ends.
    </p>
  );
}

async function replay(consumer: string, ids: string[] | null): Promise<number> {
  if (ids === null) return (await api.deadLetters.replay(consumer, { all: true })).count;
  let count = 0;
  for (let from = 0; from < ids.length; from += BATCH) {
    const batch = ids.slice(from, from + BATCH);
    count += (await api.deadLetters.replay(consumer, { ids: batch })).count;
  }
  return count;
}

/** Deletes several with one request for each, as the API deletes one at a time. */
async function remove(consumer: string, ids: string[] | null): Promise<number> {
  const left = [...(ids ?? [])];
  let count = 0;
  const work = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      try {
        await api.deadLetters.delete(consumer, id);
        count += 1;
      } catch (error) {
        // It has been deleted elsewhere meanwhile, so the wish is fulfilled.
        if (!(error instanceof ClientError && error.status === 404)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, work));
  return count;
}
