import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorText, Hint } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { planOf, TITLES, verbsOf, type Verb } from './commands.ts';
import { SeekDialog } from './seekDialog.tsx';

/** The commands pause, resume, retry and seek; each asks first and says what it will do. */
export function CommandBar({ consumer }: { consumer: Consumer }) {
  const [open, setOpen] = useState<Verb | 'seek' | null>(null);
  const [verb, setVerb] = useState<Verb>('pause');
  const queries = useQueryClient();
  const toasts = useToasts();
  const close = (): void => setOpen(null);
  const command = useMutation({
    mutationFn: (which: Verb) => api.consumers.command(consumer.id, which),
    onSuccess: (changed, which) => {
      queries.setQueryData(['consumer', consumer.id], changed);
      toasts.done(`${TITLES[which]}: done. It is ${changed.status}.`);
      close();
    },
  });
  const ask = (which: Verb): void => {
    command.reset();
    setVerb(which);
    setOpen(which);
  };
  const plan = planOf(verb, consumer);
  return (
    <>
      {verbsOf(consumer).map((which) => (
        <ActButton
          key={which}
          needs="manage"
          kind={
            which === 'resume' || (which === 'retry' && consumer.status === 'blocked')
              ? 'main'
              : 'plain'
          }
          onClick={() => ask(which)}
        >
          {TITLES[which]}
        </ActButton>
      ))}
      <ActButton needs="manage" onClick={() => setOpen('seek')}>
        Seek
      </ActButton>
      <Dialog
        open={open !== null && open !== 'seek'}
        onClose={close}
        title={plan.title}
        description={plan.text}
        actions={
          <>
            <Button onClick={close}>Cancel</Button>
            <Button kind="main" busy={command.isPending} onClick={() => command.mutate(verb)}>
              {plan.button}
            </Button>
          </>
        }
      >
        {command.error !== null && (
          <Hint tone="bad">
            <ErrorText error={command.error} />
          </Hint>
        )}
      </Dialog>
      <SeekDialog consumer={consumer} open={open === 'seek'} onClose={close} />
    </>
  );
}
