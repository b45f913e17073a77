import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { ActButton, SaveChanges } from '../act.tsx';
import { api, messageOf } from '../api.ts';
import { changedOf, edited } from '../edits.ts';
import { errorsOf } from '../fieldErrors.ts';
import { useRefusal } from '../session.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { useToasts } from '../ui/toast.tsx';
import { draftOf, patchOf, type TargetDraft } from './draft.ts';
import { TargetForm } from './form.tsx';
import { RotateDialog } from './rotate.tsx';
import { VerifySnippet } from './verifySnippet.tsx';

/** The form of a target, and its deletion. The page keeps the edits, so that a look at another part loses nothing. */
export function TargetSettings(props: {
  target: Target;
  edits: Partial<TargetDraft>;
  onEdit: (edits: Partial<TargetDraft>) => void;
}) {
  const { target, edits, onEdit } = props;
  const [isDeleting, setDeleting] = useState(false);
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
      onEdit({});
      toasts.done('Saved. It applies from the next request on.');
    },
  });
  return (
    <>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        {refusal !== null && <Hint>{refusal}</Hint>}
        <fieldset disabled={refusal !== null} className="contents">
          <TargetForm
            draft={draft}
            onChange={(change) => onEdit(edited(stored, edits, change))}
            errorAt={errorsOf(save.error)}
          />
        </fieldset>
        <Unsaved error={save.error} />
        <div className="flex gap-2">
          <SaveChanges busy={save.isPending} nothing={changed.length === 0} />
          <Button kind="quiet" disabled={changed.length === 0} onClick={() => onEdit({})}>
            Discard changes
          </Button>
        </div>
      </form>
      <Panel title="Delete target">
        <p className="text-soft">A target can be deleted once no consumer uses it.</p>
        <div>
          <ActButton needs="manage" kind="danger" onClick={() => setDeleting(true)}>
            Delete
          </ActButton>
        </div>
      </Panel>
      <DeleteDialog target={target} open={isDeleting} onClose={() => setDeleting(false)} />
    </>
  );
}

/** The signing secret of a target, and how a receiver verifies with it. */
export function TargetSecret({ target }: { target: Target }) {
  const [isRotating, setRotating] = useState(false);
  return (
    <>
      <Panel
        title="Signing secret"
        actions={
          <ActButton needs="manage" onClick={() => setRotating(true)}>
            Rotate secret
          </ActButton>
        }
      >
        <Facts
          facts={[
            ['Secret', <code key="c">{target.signing_secret}</code>],
            ['Target created', <TimeText key="n" at={target.created_at} />],
            ['Target changed', <TimeText key="u" at={target.updated_at} />],
          ]}
        />
      </Panel>
      <Panel title="Verify in your receiver">
        <VerifySnippet />
      </Panel>
      <RotateDialog target={target} open={isRotating} onClose={() => setRotating(false)} />
    </>
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
      description="Its credentials and its signing secret are deleted as well. A target that consumers use can't be deleted."
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
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
