import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';

import { deletionOf } from './deletion.ts';
import { useReads } from './queries.ts';
import { Button } from './ui/button.tsx';
import { Dialog } from './ui/dialog.tsx';
import { Unsaved } from './ui/notice.tsx';

/** Where one leads that was deleted, and the words its queries begin with: of one, and of lists. */
const KINDS = {
  consumer: { to: '/consumers', lists: 'consumers' },
  target: { to: '/targets', lists: 'targets' },
  source: { to: '/sources', lists: 'sources' },
} as const;

/**
 * Asks before a consumer, a target or a source is deleted, and says what that ends. Then the list of the others is shown; if the
 * API refuses, the dialog says why. It stays open while it is being deleted.
 */
export function DeleteDialog(props: {
  kind: keyof typeof KINDS;
  id: string;
  name: string;
  /** What is deleted with it, and what is not. */
  description: string;
  remove: () => Promise<unknown>;
  open: boolean;
  onClose: () => void;
}) {
  const { kind, id, name, description, open, onClose } = props;
  const { to, lists } = KINDS[kind];
  const queries = useQueryClient();
  const reads = useReads();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationKey: deletionOf(id),
    mutationFn: async () => {
      await queries.cancelQueries({ queryKey: [kind, id], exact: true });
      await props.remove();
    },
    onSuccess: async () => {
      await navigate({ to });
      queries.removeQueries({ queryKey: [kind, id] });
      await reads.again([lists]);
    },
  });
  const close = (): void => {
    if (remove.isPending) return;
    remove.reset();
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title={`Delete ${name}?`}
      description={description}
      actions={
        <>
          <Button onClick={close} disabled={remove.isPending}>
            Cancel
          </Button>
          <Button kind="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
            Delete
          </Button>
        </>
      }
    >
      <Unsaved error={remove.error} />
    </Dialog>
  );
}
