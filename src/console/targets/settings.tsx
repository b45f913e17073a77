import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { DeleteDialog } from '../deleteDialog.tsx';
import { EditForm } from '../editForm.tsx';
import { Button } from '../ui/button.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { draftOf, patchOf, type TargetDraft } from './draft.ts';
import { storedFaults } from './faults.ts';
import { fieldName } from './fieldNames.ts';
import { TargetForm } from './form.tsx';
import { RotateDialog } from './rotate.tsx';
import { VerifySnippet } from './verifySnippet.tsx';

/** The form of a target, and its deletion. The page keeps the edits, so that visiting another tab loses nothing. */
export function TargetSettings(props: {
  target: Target;
  edits: Partial<TargetDraft>;
  onEdit: (edits: Partial<TargetDraft>) => void;
}) {
  const { target, edits, onEdit } = props;
  const [isDeleting, setDeleting] = useState(false);
  return (
    <>
      <EditForm
        stored={draftOf(target)}
        edits={edits}
        onEdit={onEdit}
        faultsOf={storedFaults}
        nameOf={fieldName}
        save={(draft, changed) => api.targets.update(target.id, patchOf(draft, changed))}
        queryKey={['target', target.id]}
        saved="Saved. It applies from the next request on."
        buttons={(isChanged) => (
          <Button kind="quiet" disabled={!isChanged} onClick={() => onEdit({})}>
            Discard changes
          </Button>
        )}
      >
        {({ draft, set, errorAt }) => (
          <TargetForm
            draft={draft}
            onChange={set}
            errorAt={errorAt}
            unreadable={target.unreadable}
            certificate={target.client_certificate}
          />
        )}
      </EditForm>
      <Panel title="Delete target">
        <p className="text-soft">A target can be deleted once no consumer uses it.</p>
        <div>
          <ActButton needs="manage" kind="danger" onClick={() => setDeleting(true)}>
            Delete
          </ActButton>
        </div>
      </Panel>
      <DeleteDialog
        kind="target"
        id={target.id}
        name={target.name}
        description="Its credentials and its signing secret are deleted as well. A target that consumers use can't be deleted."
        remove={() => api.targets.delete(target.id)}
        open={isDeleting}
        onClose={() => setDeleting(false)}
      />
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
