import { useMutation } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { useKeys } from '../keys.ts';
import { useReads } from '../queries.ts';
import { useRefusal } from '../session.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Unsaved } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { doneText, planOf, verbsOf, type Verb } from './commands.ts';
import { SeekDialog } from './seekDialog.tsx';

/** The commands of one page: everything that offers one asks here, and the dialogs are shown once. */
export interface Commands {
  /** Asks for confirmation, saying what the command will do, before it is given. */
  ask: (verb: Verb | 'seek') => void;
  dialogs: ReactNode;
}

/** The keys for the commands that are used most. */
const KEYS = { retry: 'r', resume: 'r', pause: 'p' } as const;

/** The commands pause, resume, retry and seek of a consumer; `r` asks for retry or resume, `p` for pause. */
export function useCommands(consumer: Consumer): Commands {
  const [open, setOpen] = useState<Verb | 'seek' | null>(null);
  const [verb, setVerb] = useState<Verb>('pause');
  const reads = useReads();
  const toasts = useToasts();
  const close = (): void => setOpen(null);
  const command = useMutation({
    mutationFn: (which: Verb) => api.consumers.command(consumer.id, which),
    onSuccess: async (changed, which) => {
      await reads.replace(['consumer', consumer.id], changed);
      void reads.again(['parked', consumer.id]);
      toasts.done(doneText(which, consumer, changed));
      close();
    },
  });
  const ask = (which: Verb | 'seek'): void => {
    command.reset();
    if (which !== 'seek') setVerb(which);
    setOpen(which);
  };
  const mayAct = useRefusal('manage') === null;
  const offered = mayAct ? verbsOf(consumer) : [];
  useKeys(Object.fromEntries(offered.map((one) => [KEYS[one], () => ask(one)])));
  const plan = planOf(verb, consumer);
  const dialogs = (
    <>
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
        <Unsaved error={command.error} />
      </Dialog>
      <SeekDialog consumer={consumer} open={open === 'seek'} onClose={close} />
    </>
  );
  return { ask, dialogs };
}
