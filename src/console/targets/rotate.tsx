import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { api } from '../api.ts';
import { useReads } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { SelectField } from '../ui/field.tsx';
import { Unsaved } from '../ui/notice.tsx';
import { WholeSecret } from './secret.tsx';

const ENDS = [
  { value: '86400', text: 'for 24 hours' },
  { value: '3600', text: 'for an hour' },
  { value: '604800', text: 'for 7 days' },
  { value: '0', text: 'not at all: it ends immediately' },
];

/** Rotates the signing secret; the old one keeps signing beside the new one for a while. */
export function RotateDialog(props: { target: Target; open: boolean; onClose: () => void }) {
  const { target, open, onClose } = props;
  const reads = useReads();
  const [ends, setEnds] = useState('86400');
  const rotate = useMutation({
    mutationFn: () =>
      api.request<Target>('POST', `/v1/targets/${target.id}/rotate-secret`, {
        body: { expires_in: Number(ends) },
      }),
    onSuccess: () => reads.again(['target', target.id]),
  });
  const close = (): void => {
    if (rotate.isPending) return; // the new secret is in the answer, and nowhere else
    onClose();
    rotate.reset();
  };
  const isDone = rotate.data !== undefined;
  return (
    <Dialog
      open={open}
      onClose={close}
      title={isDone ? 'The new secret is in use' : 'Rotate the signing secret?'}
      description={
        isDone
          ? undefined
          : `Webhooks to ${target.name} are signed with a new secret immediately. While the old secret signs as well, receivers with either secret accept them.`
      }
      actions={
        isDone ? (
          <Button kind="main" onClick={close}>
            Done
          </Button>
        ) : (
          <>
            <Button onClick={close} disabled={rotate.isPending}>
              Cancel
            </Button>
            <Button kind="main" busy={rotate.isPending} onClick={() => rotate.mutate()}>
              Rotate
            </Button>
          </>
        )
      }
    >
      {isDone ? (
        <WholeSecret secret={rotate.data.signing_secret} />
      ) : (
        <SelectField
          label="The old secret signs as well"
          value={ends}
          onChange={setEnds}
          options={ENDS}
        />
      )}
      <Unsaved error={rotate.error} />
    </Dialog>
  );
}
