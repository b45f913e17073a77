import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { dropSql } from '../../rules/sourceNames.ts';
import type { Source } from '../../schema/source.ts';
import { api } from '../api.ts';
import { useKeys } from '../keys.ts';
import { useReads } from '../queries.ts';
import { useRefusal } from '../session.ts';
import { Button } from '../ui/button.tsx';
import { Code } from '../ui/copyText.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Unsaved } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { doneText, mainVerb, planOf, type Command } from './commands.ts';

/** The commands of one page: everything that offers one asks here, and the dialog is shown once. */
export interface Commands {
  /** Asks for confirmation, saying what the command will do, before it is given. */
  ask: (command: Command) => void;
  dialog: ReactNode;
}

const KEYS = { resume: 'r', pause: 'p' } as const;

/** The commands of a source; `r` asks for resume, `p` for pause. */
export function useSourceCommands(source: Source): Commands {
  const [isOpen, setOpen] = useState(false);
  // Kept while the dialog closes, so that its words stay.
  const [command, setCommand] = useState<Command>({ verb: 'pause' });
  const reads = useReads();
  const navigate = useNavigate();
  const toasts = useToasts();
  const close = (): void => setOpen(false);
  const give = useMutation({
    mutationFn: (which: Command) => send(source.id, which),
    onSuccess: async (answer, which) => {
      toasts.done(doneText(which), { stays: answer === null });
      close();
      if (answer === null) await navigate({ to: '/sources' });
      else await reads.replace(['source', source.id], answer);
      await reads.again(['sources']);
    },
  });
  const ask = (which: Command): void => {
    give.reset();
    setCommand(which);
    setOpen(true);
  };
  const verb = useRefusal('manage') === null ? mainVerb(source) : null;
  useKeys(verb === null ? {} : { [KEYS[verb]]: () => ask({ verb }) });
  const plan = planOf(command, source);
  const dialog = (
    <Dialog
      open={isOpen}
      onClose={close}
      title={plan.title}
      description={plan.text}
      actions={
        <>
          <Button onClick={close}>Cancel</Button>
          <Button kind={plan.kind} busy={give.isPending} onClick={() => give.mutate(command)}>
            {plan.button}
          </Button>
        </>
      }
    >
      {command.verb === 'forget' && (
        <Code label="Statements" text={`${dropSql(source).join(';\n')};`} />
      )}
      <Unsaved error={give.error} />
    </Dialog>
  );
  return { ask, dialog };
}

/** Resolves to the source as it is then; null: it is no longer there. */
async function send(id: string, command: Command): Promise<Source | null> {
  switch (command.verb) {
    case 'pause':
    case 'resume':
      return api.sources.command(id, command.verb);
    case 'read':
      return api.sources.snapshot(id, { tables: command.tables });
    case 'confirm':
      return api.sources.snapshot(id, { tables: [command.table.table], confirm: true });
    case 'forget':
      await api.sources.forget(id);
      return null;
  }
}
