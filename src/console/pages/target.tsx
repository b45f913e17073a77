import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { ActButton, SaveChanges } from '../act.tsx';
import { AddNew } from '../addNew.tsx';
import { api, isGone, messageOf } from '../api.ts';
import { changedOf, edited } from '../edits.ts';
import { errorsOf } from '../fieldErrors.ts';
import { useList } from '../queries.ts';
import { useRefusal } from '../session.ts';
import { draftOf, patchOf, type TargetDraft } from '../targets/draft.ts';
import { TargetForm } from '../targets/form.tsx';
import { RotateDialog } from '../targets/rotate.tsx';
import { shownUrl } from '../targets/shownUrl.ts';
import { TestResult } from '../targets/testResult.tsx';
import { Button, buttonLook } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Failed, Hint, Loading, Unsaved } from '../ui/notice.tsx';
import { Facts, PageHead, Panel } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { useToasts } from '../ui/toast.tsx';

/** One target: its state, the consumers that send to it, its settings and its secret. */
export function TargetPage() {
  const { id } = useParams({ from: '/inside/targets/$id' });
  const query = useQuery({
    queryKey: ['target', id],
    queryFn: () => api.targets.get(id),
    refetchInterval: 10_000,
  });
  if (query.data === undefined || isGone(query.error)) {
    if (query.error === null) return <Loading what="the target" />;
    return (
      <Failed error={query.error} again={() => void query.refetch()}>
        <Link to="/targets" className={buttonLook()}>
          To the targets
        </Link>
      </Failed>
    );
  }
  return <Loaded target={query.data} key={id} />;
}

function Loaded({ target }: { target: Target }) {
  const [open, setOpen] = useState<'rotate' | 'delete' | null>(null);
  const test = useMutation({ mutationFn: ({ id }: Target) => api.targets.test(id) });
  return (
    <>
      <PageHead
        title={target.name}
        below={<p className="foreign line-clamp-2 text-soft">{shownUrl(target)}</p>}
      >
        <ActButton needs="manage" busy={test.isPending} onClick={() => test.mutate(target)}>
          Send test webhook
        </ActButton>
        <ActButton needs="manage" onClick={() => setOpen('rotate')}>
          Rotate secret
        </ActButton>
        <ActButton needs="manage" kind="danger" onClick={() => setOpen('delete')}>
          Delete
        </ActButton>
      </PageHead>
      {test.error !== null && <Hint tone="bad">{messageOf(test.error)}</Hint>}
      {test.data !== undefined && (
        <Panel title="Test webhook">
          <TestResult test={test.data} isOlder={test.variables.updated_at !== target.updated_at} />
        </Panel>
      )}
      <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
        <Panel title="Health">
          <Facts
            facts={[
              ['State', <StatusBadge key="s" status={target.health.status} />],
              ['As of', <TimeText key="t" at={target.health.time} />],
              ['Signing secret', <code key="c">{target.signing_secret}</code>],
              ['Created', <TimeText key="n" at={target.created_at} />],
              ['Changed', <TimeText key="u" at={target.updated_at} />],
            ]}
          />
          {target.health.notes.map((note) => (
            <Hint key={note} tone={target.health.status === 'error' ? 'bad' : 'warn'}>
              {note}
            </Hint>
          ))}
        </Panel>
        <UsedBy targetId={target.id} />
      </div>
      <Settings target={target} />
      <RotateDialog target={target} open={open === 'rotate'} onClose={() => setOpen(null)} />
      <DeleteDialog target={target} open={open === 'delete'} onClose={() => setOpen(null)} />
    </>
  );
}

function UsedBy({ targetId }: { targetId: string }) {
  const list = useList(['consumers', 'of-target', targetId], (cursor) =>
    api.consumers.list({ target_id: targetId, cursor, limit: 50 }),
  );
  return (
    <Panel title="Consumers that send to it" actions={<AddNew kind="consumer" target={targetId} />}>
      {list.error !== null && <Failed error={list.error} again={list.again} />}
      {!list.isLoading && list.rows.length === 0 && list.error === null && (
        <p className="text-soft">None yet: nothing is sent to it.</p>
      )}
      <ul className="flex max-h-72 flex-col gap-1 overflow-y-auto">
        {list.rows.map(({ id, name, status }) => (
          <li key={id} className="flex items-center gap-2">
            <StatusBadge status={status} />
            <Link
              to="/consumers/$id"
              params={{ id }}
              className="foreign min-w-0 truncate hover:underline"
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
      {list.hasMore && (
        <Button kind="quiet" busy={list.isLoadingMore} onClick={list.more}>
          Show more
        </Button>
      )}
    </Panel>
  );
}

function Settings({ target }: { target: Target }) {
  const [edits, setEdits] = useState<Partial<TargetDraft>>({});
  const refusal = useRefusal('manage');
  const queries = useQueryClient();
  const toasts = useToasts();
  const stored = draftOf(target);
  const draft = { ...stored, ...edits };
  const changed = changedOf(stored, edits);
  const save = useMutation({
    mutationFn: () => api.targets.update(target.id, patchOf(draft, changed)),
    onSuccess: (saved) => {
      queries.setQueryData(['target', target.id], saved);
      setEdits({});
      toasts.done('Saved: the next requests go by it');
    },
  });
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <h2 className="text-base font-semibold">Settings</h2>
      {refusal !== null && <Hint>{refusal}</Hint>}
      <fieldset disabled={refusal !== null} className="contents">
        <TargetForm
          draft={draft}
          onChange={(change) => setEdits(edited(stored, edits, change))}
          errorAt={errorsOf(save.error)}
        />
      </fieldset>
      <Unsaved error={save.error} />
      <div className="flex gap-2">
        <SaveChanges busy={save.isPending} nothing={changed.length === 0} />
        <Button kind="quiet" disabled={changed.length === 0} onClick={() => setEdits({})}>
          Undo
        </Button>
      </div>
    </form>
  );
}

function DeleteDialog(props: { target: Target; open: boolean; onClose: () => void }) {
  const { target, open, onClose } = props;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => api.targets.delete(target.id),
    onSuccess: async () => {
      await navigate({ to: '/targets' });
      await queries.invalidateQueries({ queryKey: ['targets'] });
    },
  });
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={`Delete ${target.name}?`}
      description="Its credentials and its signing secret are gone then. A target that consumers use is not deleted."
      actions={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button kind="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
            Delete
          </Button>
        </>
      }
    >
      {remove.error !== null && <Hint tone="bad">{messageOf(remove.error)}</Hint>}
    </Dialog>
  );
}
